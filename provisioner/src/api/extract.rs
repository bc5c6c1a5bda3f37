//! Bodies and queries: what is not as it should be becomes a problem that names the field.

use axum::{
    extract::{FromRequest, FromRequestParts, Json, Query, Request, rejection::JsonRejection},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::problem::{Kind, Problem};

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::JsonDataError(error)) => {
                Err(Problem::new(Kind::Invalid, error.body_text()).field("body").remedy("see /openapi.json"))
            }
            Err(JsonRejection::JsonSyntaxError(error)) => {
                Err(Problem::new(Kind::Malformed, error.body_text()).field("body").remedy("send JSON"))
            }
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(Problem::new(Kind::MediaType, "the body has to be JSON and to say so")
                    .field("Content-Type")
                    .remedy("send `Content-Type: application/json`"))
            }
            Err(error) if error.status() == http::StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::new(Kind::TooLarge, "the body is larger than any request needs").field("body"))
            }
            Err(error) => Err(Problem::new(Kind::Malformed, error.body_text()).field("body")),
        }
    }
}

/// The query of a URL.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(error) => {
                Err(Problem::new(Kind::Malformed, error.body_text()).field("query").remedy("see /openapi.json"))
            }
        }
    }
}
