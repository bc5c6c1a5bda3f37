//! The search for keys by tag: for those whose `CreateKey` was answered to nobody.
//!
//! KMS can't filter by tag. The cost is the pages of `ListAliases` and of `ListKeys`, and one `ListResourceTags` for
//! each key that no alias leads to (with the rarely met exception of dying ones, one `DescribeKey` for each that is
//! found).

use std::collections::HashSet;

use aws_sdk_kms::types::Tag;
use regions::Region;

use super::{AwsProvider, clients::Clients, error::code, error::refused, key, tags};
use crate::{CallError, ErrorClass, KeySpec, RemoteId};

impl AwsProvider {
    /// The keys that carry this key's tags and have no alias, usable ones only, in the same order every time.
    pub(super) async fn stray_keys(&self, spec: &KeySpec) -> Result<Vec<RemoteId>, CallError> {
        let kms = self.clients(spec.region).await;
        let named = aliased(&kms, spec.region).await?;
        let wanted = spec.id.to_string();
        let mut strays = Vec::new();
        let mut marker = None;
        loop {
            let (keys, next) = key_page(&kms, spec.region, marker).await?;
            for id in keys.into_iter().filter(|id| !named.contains(id)) {
                let Some(tags) = key_tags(&kms, &id).await? else { continue };
                let ours = tags::get_of_key(&tags, tags::DEPLOYMENT) == Some(self.deployment.as_str())
                    && tags::get_of_key(&tags, tags::RESOURCE) == Some(wanted.as_str());
                if !ours {
                    continue;
                }
                // One that is dying was given up, or removed before: nothing can come of it.
                let found = key::describe(&kms, &id).await?.filter(|key| !key::is_dying(key));
                strays.extend(found.map(|key| key::arn(&key)));
            }
            if next.is_none() {
                break;
            }
            marker = next;
        }
        strays.sort_unstable();
        Ok(strays)
    }
}

/// The ids of all keys that some alias leads to.
async fn aliased(kms: &Clients, region: Region) -> Result<HashSet<String>, CallError> {
    let call = "kms:ListAliases";
    let mut named = HashSet::new();
    let mut marker = None;
    loop {
        let answer = kms.kms.list_aliases().limit(100).set_marker(marker).send().await;
        let answer = answer.map_err(|error| refused(call, &format!("aliases in {}", region.name()), &error))?;
        named.extend(answer.aliases().iter().filter_map(|alias| alias.target_key_id().map(ToOwned::to_owned)));
        marker = more(call, answer.truncated(), answer.next_marker())?;
        if marker.is_none() {
            return Ok(named);
        }
    }
}

/// One page of all keys' ids.
pub(super) async fn key_page(
    kms: &Clients,
    region: Region,
    marker: Option<String>,
) -> Result<(Vec<String>, Option<String>), CallError> {
    let call = "kms:ListKeys";
    let answer = kms.kms.list_keys().limit(100).set_marker(marker).send().await;
    let answer = answer.map_err(|error| refused(call, &format!("keys in {}", region.name()), &error))?;
    let keys = answer.keys().iter().filter_map(|key| key.key_id().map(ToOwned::to_owned)).collect();
    let next = more(call, answer.truncated(), answer.next_marker())?;
    Ok((keys, next))
}

/// A key's tags; none if it is gone.
pub(super) async fn key_tags(kms: &Clients, id: &str) -> Result<Option<Vec<Tag>>, CallError> {
    let call = "kms:ListResourceTags";
    let mut tags = Vec::new();
    let mut marker = None;
    loop {
        match kms.kms.list_resource_tags().key_id(id).set_marker(marker).send().await {
            Ok(answer) => {
                marker = more(call, answer.truncated(), answer.next_marker())?;
                tags.extend(answer.tags.unwrap_or_default());
            }
            Err(error) if code(&error) == Some("NotFoundException") => return Ok(None),
            // A key whose policy keeps us out is none of ours: ours let the account in.
            Err(error) if code(&error) == Some("AccessDeniedException") => {
                tracing::debug!(key = id, "a key whose tags may not be read is passed over");
                return Ok(None);
            }
            Err(error) => return Err(refused(call, &format!("key {id}"), &error)),
        }
        if marker.is_none() {
            return Ok(Some(tags));
        }
    }
}

/// Where a list goes on. One that is cut short and does not say where it goes on is no list.
fn more(call: &str, truncated: bool, next: Option<&str>) -> Result<Option<String>, CallError> {
    match (truncated, next) {
        (false, _) => Ok(None),
        (true, Some(next)) => Ok(Some(next.to_owned())),
        (true, None) => Err(CallError::new(call, ErrorClass::Ambiguous, "CutShort", "the list is cut short")),
    }
}
