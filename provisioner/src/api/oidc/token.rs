//! One token: its form, its signature, for whom it is and when. It fetches nothing.
//!
//! The algorithm is ours to choose and not the token's: RS256, which is all that GitHub's issuer signs with. Keys that a token brings
//! along, or points to, are no keys (RFC 8725, "JSON Web Token Best Current Practices", sections 3.1, 3.5 and 3.10).

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, errors::ErrorKind};
use serde::Deserialize;

use crate::core::Claims;

/// GitHub's tokens have about two thousand bytes.
const MOST_BYTES: usize = 8_192;
/// How far the issuer's clock and ours may be apart, in seconds.
const LEEWAY_SECS: i64 = 30;
/// The longest life of a token that is believed: GitHub's live minutes.
const LONGEST_SECS: i64 = 3_600;

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("it is no JWT: three parts in base64url, parted by dots, of at most 8192 bytes")]
    Form,
    #[error("it is not signed with RS256")]
    Algorithm,
    #[error("its header has what no token of the issuer has: a key of its own, or something that has to be understood")]
    Header,
    #[error("its header does not say which key signed it")]
    NoKeyId,
    #[error("its signature is not the issuer's")]
    Signature,
    #[error("its claims are not those of a workflow's token")]
    Claims,
    #[error("it is of another issuer")]
    Issuer,
    #[error("it is for another audience: ask for it with the one that this installation has")]
    Audience,
    #[error("its time is over")]
    Expired,
    #[error("its time has not come")]
    NotYet,
    #[error("it is said to live longer than an hour")]
    TooLong,
}

/// Who signed it, when and for whom, beside what it says of the run.
#[derive(Deserialize)]
struct Body {
    iss: String,
    aud: String,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(flatten)]
    claims: Claims,
}

/// The name of the key that is said to have signed it. Nothing of it is proved.
pub(super) fn key_id(text: &str) -> Result<String, TokenError> {
    if text.len() > MOST_BYTES || text.split('.').count() != 3 || !text.bytes().all(is_ours) {
        return Err(TokenError::Form);
    }
    let header = decode_header(text).map_err(|error| match error.kind() {
        // `none`, or a name that nobody knows.
        ErrorKind::Json(_) | ErrorKind::InvalidAlgorithmName => TokenError::Algorithm,
        _ => TokenError::Form,
    })?;
    if header.alg != Algorithm::RS256 {
        return Err(TokenError::Algorithm);
    }
    let brings = header.jku.is_some()
        || header.jwk.is_some()
        || header.x5u.is_some()
        || header.x5c.is_some()
        || header.crit.is_some()
        || header.enc.is_some()
        || header.zip.is_some();
    if brings || header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
        return Err(TokenError::Header);
    }
    header.kid.filter(|kid| !kid.is_empty()).ok_or(TokenError::NoKeyId)
}

const fn is_ours(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// What it claims, if that key signed it, for that audience, and its time is now.
pub(super) fn prove(
    text: &str,
    key: &DecodingKey,
    issuer: &str,
    audience: &str,
    now_ms: i64,
) -> Result<Claims, TokenError> {
    let mut validation = Validation::new(Algorithm::RS256);
    // The library would ask the machine's clock, and would take one audience among several: both are checked below.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let token = decode::<Body>(text, key, &validation).map_err(|error| match error.kind() {
        ErrorKind::Json(_) | ErrorKind::Utf8(_) | ErrorKind::InvalidClaimFormat(_) => TokenError::Claims,
        ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
        ErrorKind::InvalidToken | ErrorKind::Base64(_) => TokenError::Form,
        _ => TokenError::Signature,
    })?;
    let Body { iss, aud, exp, iat, nbf, claims } = token.claims;
    let now = now_ms.div_euclid(1_000);
    let checks = [
        (iss == issuer, TokenError::Issuer),
        (aud == audience, TokenError::Audience),
        (exp.saturating_add(LEEWAY_SECS) > now, TokenError::Expired),
        (iat.saturating_sub(LEEWAY_SECS) <= now, TokenError::NotYet),
        (nbf.is_none_or(|nbf| nbf.saturating_sub(LEEWAY_SECS) <= now), TokenError::NotYet),
        (exp > iat && exp.saturating_sub(iat) <= LONGEST_SECS, TokenError::TooLong),
    ];
    checks.into_iter().find(|(is_good, _)| !is_good).map_or(Ok(claims), |(_, error)| Err(error))
}
