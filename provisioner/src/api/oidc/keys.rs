//! The issuer's keys: fetched when they are needed, kept for a while, fetched again when a token names one that is not there; all
//! of it bounded, so that nobody can have us ask the issuer often, or fill our memory with what it says.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::{Mutex, OnceCell};

/// After that keys are fetched anew: one that the issuer has withdrawn is good for so long at most.
const FRESH_MS: i64 = 600_000;
/// While the issuer does not answer, keys are good for so long.
const STALE_MS: i64 = 3_600_000;
/// The issuer is asked at most once in so long, whatever tokens come.
const GAP_MS: i64 = 15_000;
/// Bytes of an answer: GitHub's has about ten thousand.
const MOST_BYTES: usize = 65_536;
/// Keys that are kept.
const MOST_KEYS: usize = 32;
/// How long the issuer has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    /// The issuer has none of that name.
    #[error("the issuer has no such key")]
    Unknown,
    /// The issuer does not answer as it should; the reason is for the log.
    #[error("the issuer's keys can't be had: {0}")]
    Unavailable(String),
}

pub(super) struct Keys {
    issuer: String,
    client: OnceCell<reqwest::Client>,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    keys: BTreeMap<String, Arc<DecodingKey>>,
    fetched_ms: Option<i64>,
    tried_ms: Option<i64>,
    failure: String,
}

/// Scheme, host and port of a URL: https, or http on this machine.
pub(super) fn origin(url: &str) -> Option<String> {
    let url: reqwest::Url = url.parse().ok()?;
    let host = url.host_str()?;
    let is_here =
        host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let plain =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    let sound = plain && (url.scheme() == "https" || (url.scheme() == "http" && is_here));
    sound.then(|| url.origin().ascii_serialization())
}

impl Keys {
    pub(super) fn new(issuer: String) -> Self {
        Self { issuer, client: OnceCell::new(), cache: Mutex::new(Cache::default()) }
    }

    /// The key of that name. Those who ask while it is being fetched wait for the one fetch.
    pub(super) async fn get(&self, kid: &str, now_ms: i64) -> Result<Arc<DecodingKey>, KeyError> {
        let mut cache = self.cache.lock().await;
        let is_within =
            |since: Option<i64>, most: i64| since.is_some_and(|since| (since..since + most).contains(&now_ms));
        if is_within(cache.fetched_ms, FRESH_MS)
            && let Some(key) = cache.keys.get(kid)
        {
            return Ok(Arc::clone(key));
        }
        if !is_within(cache.tried_ms, GAP_MS) {
            cache.tried_ms = Some(now_ms);
            match self.fetch().await {
                Ok(keys) => {
                    (cache.keys, cache.fetched_ms) = (keys, Some(now_ms));
                    cache.failure.clear();
                }
                Err(reason) => {
                    tracing::warn!(issuer = %self.issuer, reason, "the issuer's keys could not be fetched");
                    cache.failure = reason;
                }
            }
        }
        if !is_within(cache.fetched_ms, STALE_MS) {
            return Err(KeyError::Unavailable(cache.failure.clone()));
        }
        cache.keys.get(kid).map(Arc::clone).ok_or(KeyError::Unknown)
    }

    /// By discovery: the issuer says where its keys are, which must be at its own place.
    async fn fetch(&self) -> Result<BTreeMap<String, Arc<DecodingKey>>, String> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
            jwks_uri: String,
        }
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let found: Discovery = self.read(&format!("{}/.well-known/openid-configuration", self.issuer)).await?;
        if found.issuer != self.issuer {
            return Err(format!("it calls itself `{}`", found.issuer));
        }
        if origin(&found.jwks_uri) != origin(&self.issuer) {
            return Err(format!("its keys are said to be elsewhere: {}", found.jwks_uri));
        }
        let set: Set = self.read(&found.jwks_uri).await?;
        if set.keys.len() > MOST_KEYS {
            return Err(format!("it has {} keys", set.keys.len()));
        }
        // A kind of key that we don't know is not for us; another of the set may be.
        let keys: BTreeMap<_, _> = set.keys.into_iter().filter_map(usable).collect();
        if keys.is_empty() { Err("it has no key for RS256".to_owned()) } else { Ok(keys) }
    }

    async fn read<T: DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let client = self.client.get_or_try_init(async || {
            // An issuer that sends us elsewhere is not the one that was configured.
            reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build()
        });
        let told = |error: reqwest::Error| error.to_string();
        let mut response = client.await.map_err(told)?.get(url).send().await.map_err(told)?;
        if response.status() != http::StatusCode::OK {
            return Err(format!("{url} answers {}", response.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(told)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MOST_BYTES {
                return Err(format!("{url} answers with more than {MOST_BYTES} bytes"));
            }
        }
        serde_json::from_slice(&bytes).map_err(|error| format!("{url}: {error}"))
    }
}

/// A key for RS256 with a name, of 2048 to 8192 bits.
fn usable(key: serde_json::Value) -> Option<(String, Arc<DecodingKey>)> {
    let key: Jwk = serde_json::from_value(key).ok()?;
    let is_for_signing = key.common.public_key_use.as_ref().is_none_or(|for_what| *for_what == PublicKeyUse::Signature)
        && key.common.key_algorithm.is_none_or(|algorithm| algorithm == KeyAlgorithm::RS256);
    let AlgorithmParameters::RSA(numbers) = &key.algorithm else { return None };
    // Base64 without padding: four digits for three bytes.
    let bytes = numbers.n.len() * 3 / 4;
    let kid = key.common.key_id.clone().filter(|kid| (1..=200).contains(&kid.len()))?;
    if !is_for_signing || !(256..=1_024).contains(&bytes) {
        return None;
    }
    let decoded = DecodingKey::from_rsa_components(&numbers.n, &numbers.e).ok()?;
    Some((kid, Arc::new(decoded)))
}

#[cfg(test)]
mod tests;
