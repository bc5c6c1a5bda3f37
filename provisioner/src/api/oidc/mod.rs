//! The word of an issuer: a workflow's JWT, checked against the issuer's published keys (OpenID Connect Discovery 1.0, RFC 7517, RFC 7519).
//!
//! It says what a token claims once the token has proved to be the issuer's, to be for us, and to be of this moment. What the
//! claims are worth is for [`crate::core::trust`] to say.

mod keys;
mod token;

use serde::{Deserialize, Serialize};

use crate::core::Claims;
use keys::Keys;

pub(crate) use keys::KeyError;
pub(crate) use token::TokenError;

/// GitHub's own issuer ("OpenID Connect reference"); an Enterprise Server has its own.
const GITHUB: &str = "https://token.actions.githubusercontent.com";
/// The longest audience, in bytes.
const LONGEST: usize = 255;

/// The section `[api.oidc]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OidcSettings {
    /// Whose word counts: the issuer's URL as its tokens have it.
    pub issuer: String,
    /// What a workflow has to ask its token for: a name that no other service has, such as this installation's URL. Without one
    /// no token is exchanged.
    pub audience: Option<String>,
    /// For how many seconds a token that came of a trust is good.
    pub token_secs: u32,
}

impl Default for OidcSettings {
    fn default() -> Self {
        Self { issuer: GITHUB.to_owned(), audience: None, token_secs: 900 }
    }
}

impl OidcSettings {
    /// The first value that can't be meant, as key and problem.
    #[must_use]
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        let audience = self.audience.as_ref();
        let wrong = [
            (
                keys::origin(&self.issuer).is_none() || self.issuer.ends_with('/'),
                "api.oidc.issuer",
                "must be an https URL without a slash at its end (http on this machine only)",
            ),
            (
                audience
                    .is_some_and(|text| text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control)),
                "api.oidc.audience",
                "must have 1 to 255 bytes and no control characters",
            ),
            (!(60..=3_600).contains(&self.token_secs), "api.oidc.token_secs", "must be from 60 to 3600"),
        ];
        wrong.into_iter().find(|(wrong, ..)| *wrong).map(|(_, key, problem)| (key, problem))
    }
}

/// An issuer whose word counts.
pub(crate) struct Issuer {
    settings: OidcSettings,
    keys: Keys,
}

/// Why a token proves nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OidcError {
    /// Nobody has said for whom tokens have to be.
    #[error("this installation takes no workflows' tokens: it has no audience")]
    Off,
    /// The token is at fault.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The issuer's keys are not there.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

impl Issuer {
    pub(crate) fn new(settings: OidcSettings) -> Self {
        let keys = Keys::new(settings.issuer.clone());
        Self { settings, keys }
    }

    /// For how long a token that came of a trust is good.
    pub(crate) fn token_ms(&self) -> i64 {
        i64::from(self.settings.token_secs) * 1_000
    }

    /// What the token claims, if it is the issuer's, for us, and of this moment.
    pub(crate) async fn prove(&self, text: &str, now_ms: i64) -> Result<Claims, OidcError> {
        let audience = self.settings.audience.as_deref().ok_or(OidcError::Off)?;
        let kid = token::key_id(text)?;
        let key = self.keys.get(&kid, now_ms).await?;
        Ok(token::prove(text, &key, &self.settings.issuer, audience, now_ms)?)
    }
}
