//! Debug access.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time;
use crate::store::{Grant, GrantState};

/// Who is to be let onto a builder, for how long, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantRequest {
    /// On AWS the ARN of a user or role of IAM, on Google Cloud `user:NAME@DOMAIN` or `serviceAccount:NAME@DOMAIN`.
    #[schema(
        min_length = 1,
        max_length = 256,
        pattern = "^(arn:aws(-[a-z]+)*:iam::[0-9]{12}:(user|role)(/[A-Za-z0-9+=,.@_-]+)+|(user|serviceAccount):[a-z0-9._%+-]+@[a-z0-9-]+(\\.[a-z0-9-]+)+)$",
        example = "arn:aws:iam::123456789012:role/support"
    )]
    pub(crate) principal: String,
    /// From now on.
    #[serde(deserialize_with = "super::whole")]
    #[schema(minimum = 1, maximum = 28800)]
    pub(crate) for_secs: u32,
    /// For whoever reads the audit.
    #[schema(min_length = 1, max_length = 500, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub(crate) reason: String,
}

/// How far a grant is.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GrantWord {
    /// Nobody has asked to be let in.
    Granted,
    /// The way is being opened.
    Opening,
    /// The principal may come in.
    Open,
    /// The way is being taken away.
    Closing,
    /// It is over.
    Closed,
}

/// A grant.
#[derive(Serialize, ToSchema)]
pub(crate) struct GrantView {
    pub(crate) id: String,
    pub(crate) org: String,
    pub(crate) project: String,
    pub(crate) arch: String,
    pub(crate) principal: String,
    pub(crate) reason: String,
    pub(crate) state: GrantWord,
    pub(crate) created_at: String,
    pub(crate) created_by: String,
    pub(crate) until: String,
    pub(crate) revoked_at: Option<String>,
    pub(crate) revoked_by: Option<String>,
    pub(crate) opened_by: Option<String>,
    /// The cloud's name for the machine that it was opened on.
    pub(crate) machine: Option<String>,
    /// What the principal enters by, while it is open.
    pub(crate) command: Option<String>,
    /// What went wrong last.
    pub(crate) problem: Option<String>,
}

impl GrantView {
    pub(crate) fn new(org: &str, project: &str, grant: &Grant, now_ms: i64) -> Self {
        let state = match grant.state {
            GrantState::Granted if !grant.is_live(now_ms) => GrantWord::Closed,
            GrantState::Granted => GrantWord::Granted,
            GrantState::Opening | GrantState::Open if !grant.is_live(now_ms) => GrantWord::Closing,
            GrantState::Opening => GrantWord::Opening,
            GrantState::Open => GrantWord::Open,
            GrantState::Closing => GrantWord::Closing,
            GrantState::Closed => GrantWord::Closed,
        };
        Self {
            id: grant.id.to_string(),
            org: org.to_owned(),
            project: project.to_owned(),
            arch: grant.arch.to_string(),
            principal: grant.principal.clone(),
            reason: grant.reason.clone(),
            state,
            created_at: time(grant.created_ms),
            created_by: grant.created_by.clone(),
            until: time(grant.until_ms),
            revoked_at: grant.revoked_ms.map(time),
            revoked_by: grant.revoked_by.clone(),
            opened_by: grant.opened_by.clone(),
            machine: grant.remote.as_ref().map(ToString::to_string),
            command: grant.command.clone().filter(|_| matches!(state, GrantWord::Open)),
            problem: grant.problem.clone(),
        }
    }
}
