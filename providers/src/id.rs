//! Ids that cross the border to a cloud.

use std::fmt;

use regions::Region;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Kind;

/// The namespace of every id that is derived here: itself a UUIDv5 of the DNS namespace and `provisioner.resources`.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_0c3a_52b7_5e0e_9a4f_3d1b_7c88_e2a1);

/// The id of one cloud thing. The thing carries it as a tag from its first moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceId(Uuid);

impl ResourceId {
    /// Derives the id of the resource that plays `role` in what `origin` brings about. The same input is the same id,
    /// so a replay makes no second row.
    #[must_use]
    pub fn derive(origin: Uuid, role: &str) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, format!("{origin}/{role}").as_bytes()))
    }

    /// The id of something that no record explains, from the cloud's name for it. It is never written on the thing.
    #[must_use]
    pub fn of_stray(region: Region, kind: Kind, remote: &RemoteId) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, format!("stray/{region}/{kind}/{remote}").as_bytes()))
    }

    /// An id read back from the database or a tag.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The bare value.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An idempotency token: at most 64 ASCII characters, as EC2 asks
/// (Amazon EC2 API Reference, "Ensuring idempotency"), and a valid UUID, as Compute Engine's `requestId` asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// Derives the token for creating that incarnation of that resource. Never random: a retry after a crash would
    /// make a second thing.
    #[must_use]
    pub fn derive(resource: ResourceId, incarnation: u32) -> Self {
        Self(Uuid::new_v5(&resource.0, &incarnation.to_be_bytes()).to_string())
    }

    /// Derives the token of one attempt of a call that can be repeated without harm: to switch a machine, to take something
    /// away. What tells attempts apart is what was recorded of them, so that the same attempt sent twice counts once, and
    /// the next one counts again: a cloud that remembers tokens would answer it with the outcome of the first.
    #[must_use]
    pub fn of_attempt(resource: ResourceId, attempt: &str) -> Self {
        Self(Uuid::new_v5(&resource.0, attempt.as_bytes()).to_string())
    }

    /// A token from outside. For tests that break the rule on purpose.
    #[must_use]
    pub const fn from_string(text: String) -> Self {
        Self(text)
    }

    /// The text that is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The cloud's own name for a thing: an instance id, a volume id, a key's ARN.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RemoteId(pub String);

impl RemoteId {
    /// The name of a thing that is yet to be made, for [`crate::Provider::check`]; and of what something was made with that is to
    /// go by its own name.
    #[must_use]
    pub const fn unknown() -> Self {
        Self(String::new())
    }

    /// Whether the thing has a name.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        !self.0.is_empty()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RemoteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for RemoteId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}
