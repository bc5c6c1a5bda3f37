//! From the SDK's errors to [`CallError`]: what was sent, what was answered, and what may be concluded.

use std::error::Error;

use aws_config::imds::client::error::TokenError;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::codes;
use crate::{CallError, ErrorClass};

/// Longest part of the cloud's own words that is kept: an encoded authorization message runs to kilobytes.
const LONGEST_MESSAGE: usize = 600;

/// Gives a failed call its class. `what` names the resource, for people.
pub(super) fn refused<E>(call: &str, what: &str, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        // The SDK calls a success that it can't read a refusal without a code. Whatever was asked may well have been
        // done.
        SdkError::ServiceError(answer) if answer.raw().status().is_success() => {
            let message = format!("{what}: the answer can't be read: {}", chain(error));
            CallError::new(call, ErrorClass::Ambiguous, "Unreadable", message)
        }
        SdkError::ServiceError(answer) => {
            let meta = answer.err().meta();
            let status = answer.raw().status().as_u16();
            let code = meta.code().map_or_else(|| format!("HTTP {status}"), ToOwned::to_owned);
            let said: String = meta.message().unwrap_or("no message").chars().take(LONGEST_MESSAGE).collect();
            let request = meta.extra("aws_request_id").map(|id| format!(" (request {id})")).unwrap_or_default();
            let class = codes::classify(&code, status);
            let mut refused = CallError::new(call, class, &code, format!("{what}: {said}{request}"));
            refused.retry_after_ms = retry_after_ms(answer.raw());
            refused
        }
        SdkError::ResponseError(answer) => {
            let code = format!("HTTP {}", answer.raw().status().as_u16());
            CallError::new(
                call,
                ErrorClass::Ambiguous,
                &code,
                format!("{what}: the answer can't be read: {}", chain(error)),
            )
        }
        SdkError::TimeoutError(_) => {
            CallError::new(call, ErrorClass::Ambiguous, "Timeout", format!("{what}: no answer in time"))
        }
        SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) => unsent(call, what, error),
        other => CallError::new(call, ErrorClass::Ambiguous, "NoAnswer", format!("{what}: {}", chain(other))),
    }
}

/// The code of the service's own refusal, if it is one.
pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(|refusal| refusal.meta().code())
}

/// A request that got no answer: credentials that were not there and connections that were refused are known to have
/// done nothing; of the rest nothing is known.
fn unsent<E>(call: &str, what: &str, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: Error + 'static,
{
    if let Some(credentials) = find::<CredentialsError>(error) {
        let (class, code) = match credentials {
            CredentialsError::ProviderError(_) if source_refused(error) => (ErrorClass::Denied, "CredentialsRefused"),
            CredentialsError::ProviderTimedOut(_) | CredentialsError::ProviderError(_) => {
                (ErrorClass::Unavailable, "CredentialsUnavailable")
            }
            CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
                (ErrorClass::Denied, "CredentialsMissing")
            }
            _ => (ErrorClass::Denied, "CredentialsUnusable"),
        };
        let message = format!(
            "{what}: no AWS credentials: {}; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or run with a role",
            chain(credentials)
        );
        return CallError::new(call, class, code, message);
    }
    if find::<std::io::Error>(error).is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused) {
        let message = format!("{what}: the endpoint refused the connection; see AWS_ENDPOINT_URL and the network");
        return CallError::new(call, ErrorClass::Unavailable, "ConnectionRefused", message);
    }
    match error {
        SdkError::ConstructionFailure(_) => {
            CallError::new(call, ErrorClass::Invalid, "NotSent", format!("{what}: {}", chain(error)))
        }
        _ => CallError::new(call, ErrorClass::Ambiguous, "NoAnswer", format!("{what}: {}", chain(error))),
    }
}

/// Whether the place that hands out credentials said no, rather than nothing: the instance's metadata service, or STS.
fn source_refused(error: &(dyn Error + 'static)) -> bool {
    fn said_no<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
        let answer = find::<SdkError<E, HttpResponse>>(error).and_then(SdkError::raw_response);
        answer.is_some_and(|answer| answer.status().is_client_error() && answer.status().as_u16() != 429)
    }
    said_no::<TokenError>(error)
        || said_no::<AssumeRoleError>(error)
        || said_no::<AssumeRoleWithWebIdentityError>(error)
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        next = current.source();
    }
    None
}

/// An error and its sources in one line.
fn chain(error: &dyn Error) -> String {
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
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST_MESSAGE).collect()
}

/// `Retry-After` is in seconds (RFC 9110, section 10.2.3), `x-amz-retry-after` in milliseconds.
fn retry_after_ms(answer: &HttpResponse) -> Option<u64> {
    let header = |name| answer.headers().get(name).and_then(|text| text.trim().parse::<u64>().ok());
    header("x-amz-retry-after").or_else(|| header("retry-after").map(|secs| secs.saturating_mul(1000)))
}
