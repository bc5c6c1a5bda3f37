//! What went wrong, as RFC 9457 has it ("Problem Details for HTTP APIs"): a stable type, the field at fault, the remedy.
//!
//! It never tells what is behind the door: what the database said goes to the log, and the caller learns that it is not there.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::StoreError;

/// RFC 9457, section 3.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

/// The kinds of problems. The names are a contract: add, never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Malformed,
    Invalid,
    MediaType,
    TooLarge,
    TooMany,
    TooSlow,
    Exists,
    Refused,
    KeyReused,
    BuilderFailed,
    Unavailable,
    Internal,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::MediaType => "media-type",
            Self::TooLarge => "too-large",
            Self::TooMany => "too-many-requests",
            Self::TooSlow => "too-slow",
            Self::Exists => "exists",
            Self::Refused => "refused",
            Self::KeyReused => "key-reused",
            Self::BuilderFailed => "builder-failed",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Unauthenticated => "No identity",
            Self::Forbidden => "Not allowed",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::Malformed => "Not understood",
            Self::Invalid => "A value that can't be",
            Self::MediaType => "Not JSON",
            Self::TooLarge => "Too large",
            Self::TooMany => "Too many requests",
            Self::TooSlow => "It took too long",
            Self::Exists => "It exists already",
            Self::Refused => "Not as things are",
            Self::KeyReused => "The idempotency key was used for another request",
            Self::BuilderFailed => "The builder could not be made",
            Self::Unavailable => "Not available at the moment",
            Self::Internal => "A mistake of ours",
        }
    }

    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Exists | Self::Refused | Self::KeyReused => StatusCode::CONFLICT,
            Self::BuilderFailed | Self::Unavailable | Self::TooSlow => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A problem. Boxed, as it is the rare case of every answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem(Box<Told>);

/// A problem, as `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Told {
    /// `urn:provisioner:problem:` and the kind's name: the same for ever.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The kind in words.
    pub(crate) title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub(crate) status: u16,
    /// What happened, in a sentence.
    pub(crate) detail: String,
    /// The field, header or parameter at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
    /// The job that tells more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<i64>,
    /// Seconds after which to ask again.
    #[serde(skip)]
    pub(crate) retry_secs: Option<u64>,
}

impl std::ops::Deref for Problem {
    type Target = Told;

    fn deref(&self) -> &Told {
        &self.0
    }
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Told {
            kind: format!("urn:provisioner:problem:{}", kind.name()),
            title: kind.title(),
            status: kind.status().as_u16(),
            detail: detail.into(),
            field: None,
            remedy: None,
            job: None,
            retry_secs: None,
        }))
    }

    pub(crate) fn field(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    pub(crate) fn job(mut self, job: i64) -> Self {
        self.0.job = Some(job);
        self
    }

    pub(crate) fn retry_after(mut self, secs: u64) -> Self {
        self.0.retry_secs = Some(secs);
        self
    }

    /// The word for it in an audit.
    pub(crate) fn outcome(&self) -> String {
        self.0.kind.rsplit(':').next().unwrap_or_default().to_owned()
    }

    /// What is not there, and what is not theirs: one answer.
    pub(crate) fn not_found(what: &str, name: &str) -> Self {
        Self::new(Kind::NotFound, format!("{what} `{name}` does not exist")).remedy("check the name")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry = self.0.retry_secs;
        let mut response = (status, Json(*self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if let Some(secs) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"provisioner\""));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what, name, .. } => Self::not_found(what, &name),
            StoreError::Exists { what, name, remedy } => {
                Self::new(Kind::Exists, format!("{what} `{name}` exists already")).field("name").remedy(remedy)
            }
            StoreError::Refused { field, reason, remedy } => {
                // What was sent can't be, or things stand in its way.
                let kind = match field.as_str() {
                    "name" | "expires" | "scope" | "region" | "key" | "projects" | "repository_id" | "owner_id"
                    | "environment" => Kind::Invalid,
                    _ => Kind::Refused,
                };
                Self::new(kind, reason).field(field).remedy(remedy)
            }
            StoreError::KeyReused { job, .. } => {
                Self::new(Kind::KeyReused, format!("that key stands for another request, job {job}"))
                    .field("Idempotency-Key")
                    .remedy("use a new key for a new request")
                    .job(job.0)
            }
            error if error.is_passing() => {
                tracing::error!(%error, "the database is not available");
                Self::new(Kind::Unavailable, "the database is not available").remedy("try again").retry_after(2)
            }
            StoreError::NoSchema { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::Unreachable { .. }
            | StoreError::Denied { .. }
            | StoreError::ReadOnly { .. }
            | StoreError::DiskFull { .. }
            | StoreError::Busy { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Constraint { .. }
            | StoreError::Other { .. } => {
                tracing::error!(%error, "a request failed");
                Self::new(Kind::Internal, "the request failed; the log of the service says why")
                    .remedy("tell its operators when this happened")
            }
        }
    }
}
