//! From the client's errors and from failed operations to [`CallError`]: what was sent, what was answered, and what may be
//! concluded.

use std::error::Error as _;

use google_cloud_auth::errors::CredentialsError;
use google_cloud_compute_v1::model::Operation;
use google_cloud_gax::error::{Error, rpc::StatusDetails};

use super::{codes, credentials};
use crate::{CallError, ErrorClass, Trouble};

/// Longest part of the cloud's own words that is kept.
const LONGEST_MESSAGE: usize = 600;

/// Gives a failed call its class. `what` names the resource, for people.
pub(super) fn refused(call: &str, what: &str, error: &Error) -> CallError {
    if let Some(status) = error.status() {
        let http = error.http_status_code().unwrap_or_default();
        let code = code(error).unwrap_or_else(|| format!("HTTP {http}"));
        let class = codes::classify(&code, http);
        let mut refused = CallError::new(call, class, &code, format!("{what}: {}", short(&status.message)));
        refused.retry_after_ms = retry_after_ms(error);
        return refused;
    }
    if let Some(http) = error.http_status_code().filter(|status| *status >= 400) {
        // An answer that is not Google's: a proxy's, say.
        let code = format!("HTTP {http}");
        let class = match codes::classify(&code, http) {
            ErrorClass::Unrecognized => ErrorClass::Ambiguous,
            class => class,
        };
        return CallError::new(call, class, &code, format!("{what}: the answer is not one of this API's"));
    }
    if error.is_authentication() {
        return without_credentials(call, what, error);
    }
    if error.is_binding() || error.is_serialization() {
        return CallError::new(call, ErrorClass::Invalid, "NotSent", format!("{what}: {}", chain(error)));
    }
    if error.is_connect() {
        let message = format!("{what}: no connection: {}; see gcp.endpoint and the network", chain(error));
        return CallError::new(call, ErrorClass::Unavailable, "NoConnection", message);
    }
    if error.is_deserialization() {
        let message = format!("{what}: the answer can't be read: {}", chain(error));
        return CallError::new(call, ErrorClass::Ambiguous, "Unreadable", message);
    }
    CallError::new(call, ErrorClass::Ambiguous, "NoAnswer", format!("{what}: {}", chain(error)))
}

/// A call that got no answer within its time.
pub(super) fn unanswered(call: &str, what: &str) -> CallError {
    CallError::new(call, ErrorClass::Ambiguous, "Timeout", format!("{what}: no answer in time"))
}

/// The reason that the service gave: Compute Engine's own, else the canonical code.
pub(super) fn code(error: &Error) -> Option<String> {
    let status = error.status()?;
    let reason = status.details.iter().find_map(|detail| match detail {
        StatusDetails::ErrorInfo(info) if !info.reason.is_empty() => Some(info.reason.clone()),
        _ => None,
    });
    reason.or_else(|| Some(status.code.name().to_owned()).filter(|name| name != "UNKNOWN" && name != "OK"))
}

/// Whether the service says that there is no such thing.
pub(super) fn is_not_found(error: &Error) -> bool {
    error.status().is_some() && error.http_status_code() == Some(404)
}

/// Whether it says that there is such a thing already.
pub(super) fn is_already_there(error: &Error) -> bool {
    error.status().is_some()
        && error.http_status_code() == Some(409)
        && code(error).is_some_and(|code| ["alreadyExists", "ALREADY_EXISTS", "duplicate"].contains(&code.as_str()))
}

/// Why an operation failed, if it has: inside a 200, the operation may carry an error.
pub(super) fn failure(operation: &Operation, what: &str) -> Option<Trouble> {
    let first = operation.error.as_ref().and_then(|error| error.errors.first());
    let http = operation.http_error_status_code.and_then(|status| u16::try_from(status).ok());
    if first.is_none() && http.is_none_or(|status| status < 400) {
        return None;
    }
    let code =
        first.and_then(|error| error.code.clone()).unwrap_or_else(|| format!("HTTP {}", http.unwrap_or_default()));
    let said = first.and_then(|error| error.message.as_deref()).or(operation.http_error_message.as_deref());
    let name = operation.name.as_deref().unwrap_or_default();
    let message = format!("{what}: {} ({name})", short(said.unwrap_or("no message")));
    Some(Trouble { class: codes::classify(&code, http.unwrap_or_default()), code, message })
}

fn without_credentials(call: &str, what: &str, error: &Error) -> CallError {
    let cause = error.source().and_then(|source| source.downcast_ref::<CredentialsError>());
    let (class, code) = match cause {
        Some(cause) if cause.is_transient() => (ErrorClass::Unavailable, "CredentialsUnavailable"),
        _ => (ErrorClass::Denied, "CredentialsMissing"),
    };
    let problem = if credentials::are_set_up() {
        format!("the Google Cloud credentials that are set up here give no token: {}", chain(error))
    } else {
        "no Google Cloud credentials are set up here, and no metadata server answers".to_owned()
    };
    let message = format!(
        "{what}: {problem}; run `gcloud auth application-default login`, set GOOGLE_APPLICATION_CREDENTIALS, or run with a \
         service account"
    );
    CallError::new(call, class, code, message)
}

fn short(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST_MESSAGE).collect()
}

/// An error and its sources in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = source.source();
    }
    short(&text)
}

/// `Retry-After` is in seconds (RFC 9110, section 10.2.3).
fn retry_after_ms(error: &Error) -> Option<u64> {
    let secs = error.http_headers()?.get("retry-after")?.to_str().ok()?.trim().parse::<u64>().ok()?;
    Some(secs.saturating_mul(1_000))
}
