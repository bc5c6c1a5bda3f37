//! The edge: the only place that reads a wall clock or makes random ids.

use std::time::Instant;

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    core::{GrantId, OrgId, ProjectId, Secret, TokenId, TokenKind, TrustId, UserId},
    execute::Clock,
    store::Store,
};

/// A time that was read once and goes on monotonically, so that a wall clock that jumps changes nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchored {
    anchor_ms: i64,
    since: Instant,
}

impl Anchored {
    /// Anchored to this machine's clock.
    #[expect(clippy::disallowed_methods, reason = "this is the edge: the wall is read once")]
    pub(crate) fn to_wall() -> Self {
        Self { anchor_ms: Timestamp::now().as_millisecond(), since: Instant::now() }
    }

    /// Anchored to the database server's clock where it has one: all that work on it then agree on the time.
    pub(crate) async fn to_store(store: &Store) -> Result<Self, crate::store::StoreError> {
        let asked = Self::to_wall();
        let Some(server_ms) = store.server_now_ms().await? else { return Ok(asked) };
        let here = Self::to_wall();
        // The server read its clock somewhere between the question and the answer.
        let half_ms = here.since.saturating_duration_since(asked.since).as_millis() / 2;
        Ok(Self { anchor_ms: server_ms + i64::try_from(half_ms).unwrap_or(0), since: here.since })
    }
}

impl Clock for Anchored {
    fn now_ms(&self) -> i64 {
        self.anchor_ms.saturating_add(i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

/// An organization's id, never used before.
#[expect(clippy::disallowed_methods, reason = "this is the edge: tenants' ids are made here")]
pub(crate) fn new_org_id() -> OrgId {
    OrgId::from_uuid(Uuid::now_v7())
}

/// A project's id, never used before.
#[expect(clippy::disallowed_methods, reason = "this is the edge: tenants' ids are made here")]
pub(crate) fn new_project_id() -> ProjectId {
    ProjectId::from_uuid(Uuid::now_v7())
}

/// A person's id, never used before.
#[expect(clippy::disallowed_methods, reason = "this is the edge: people's ids are made here")]
pub(crate) fn new_user_id() -> UserId {
    UserId::from_uuid(Uuid::now_v7())
}

/// A token's id, never used before.
#[expect(clippy::disallowed_methods, reason = "this is the edge: tokens' ids are made here")]
pub(crate) fn new_token_id() -> TokenId {
    TokenId::from_uuid(Uuid::now_v7())
}

/// A trust's id, never used before.
#[expect(clippy::disallowed_methods, reason = "this is the edge: trusts' ids are made here")]
pub(crate) fn new_trust_id() -> TrustId {
    TrustId::from_uuid(Uuid::now_v7())
}

/// A grant's id, never used before.
#[expect(clippy::disallowed_methods, reason = "this is the edge: grants' ids are made here")]
pub(crate) fn new_grant_id() -> GrantId {
    GrantId::from_uuid(Uuid::now_v7())
}

/// A key for a request that has none of its caller, never used before.
#[expect(clippy::disallowed_methods, reason = "this is the edge: keys of requests are made here")]
pub(crate) fn new_request_key() -> String {
    Uuid::now_v7().to_string()
}

/// A secret that nobody can guess: from the operating system's generator.
///
/// # Errors
/// If that has none.
pub(crate) fn new_secret(kind: TokenKind) -> Result<Secret, getrandom::Error> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    Ok(Secret::new(kind, random))
}
