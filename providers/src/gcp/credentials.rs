//! Whose credentials a call carries: Application Default Credentials, as Google's own clients find them.
//!
//! An endpoint on this machine that is not encrypted is an emulator. Where no credentials are set up it gets a
//! placeholder, so that nobody needs an account to try things out. It must never get a real one by accident: what is set up on
//! purpose is used, and nothing is asked of a metadata server that nobody named.

use std::path::Path;

use google_cloud_auth::credentials::{CacheableResource, Credentials, CredentialsProvider, EntityTag};
use google_cloud_auth::errors::CredentialsError;
use http::{Extensions, HeaderMap, HeaderValue, header::AUTHORIZATION};

use super::GcpConfig;

/// Credentials that are no credentials.
#[derive(Debug)]
struct Placeholder {
    tag: EntityTag,
}

impl CredentialsProvider for Placeholder {
    async fn headers(&self, known: Extensions) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        if known.get::<EntityTag>() == Some(&self.tag) {
            return Ok(CacheableResource::NotModified);
        }
        let mut data = HeaderMap::new();
        data.insert(AUTHORIZATION, HeaderValue::from_static("Bearer emulated"));
        Ok(CacheableResource::New { entity_tag: self.tag.clone(), data })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

/// The credentials to use; none leaves the choice to the clients, which is Application Default Credentials.
pub(super) fn choose(config: &GcpConfig) -> Option<Credentials> {
    (config.is_plain() && !are_set_up()).then(|| Credentials::from(Placeholder { tag: EntityTag::new() }))
}

/// Whether Application Default Credentials are set up on purpose (Google Cloud documentation, "How Application Default
/// Credentials works": the variable, the well-known file, an attached service account).
pub(super) fn are_set_up() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let well_known = std::env::var_os("HOME")
        .is_some_and(|home| Path::new(&home).join(".config/gcloud/application_default_credentials.json").exists());
    is_set("GOOGLE_APPLICATION_CREDENTIALS") || is_set("GCE_METADATA_HOST") || well_known
}
