//! What a cloud was seen to have.

use regions::Arch;
use serde::{Deserialize, Serialize};

use crate::{Kind, Owner, Power, RemoteId, ResourceId, Trouble};

/// The state of one thing, as the cloud tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Observed {
    /// Nothing is there. A machine that was terminated is nothing, even while the cloud still shows its shadow.
    Absent {
        /// Why the cloud itself took it away after it had said yes, where it tells: a key that it could not use, a zone
        /// that turned out to be full.
        died: Option<Trouble>,
    },
    /// It is there and on its way: being made, starting, stopping, attaching; or a key that still needs finishing by
    /// another `ensure`.
    Pending(Found),
    /// It is there, at rest, and as specified.
    Ready(Found),
    /// It is on its way out: terminating, detaching, deleting; or a key that is scheduled for deletion.
    Leaving(Found),
    /// It is there and not as specified, or not usable.
    Broken {
        /// What was found.
        found: Found,
        /// What is wrong with it.
        why: Trouble,
    },
}

/// The facts of a thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The cloud's name for it.
    pub remote: RemoteId,
    /// For a machine at rest: whether it is on.
    pub power: Option<Power>,
    /// For a machine: its cache volume, once the cloud shows one. It is what a machine that gives birth to its cache tells
    /// of the newborn.
    pub cache: Option<RemoteId>,
    /// For a volume: the machine that it is attached to.
    pub attached_to: Option<RemoteId>,
    /// For a running machine: its private address.
    pub address: Option<String>,
    /// For a thing in quarantine: until when it is kept, in milliseconds since 1970, as its own mark says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined_until_ms: Option<i64>,
}

impl Found {
    /// The bare fact that it is there.
    #[must_use]
    pub const fn new(remote: RemoteId) -> Self {
        Self { remote, power: None, cache: None, attached_to: None, address: None, quarantined_until_ms: None }
    }
}

impl Observed {
    /// Nothing there, and no reason known.
    pub const ABSENT: Self = Self::Absent { died: None };

    /// What was found, if anything.
    #[must_use]
    pub const fn found(&self) -> Option<&Found> {
        match self {
            Self::Absent { .. } => None,
            Self::Pending(found) | Self::Ready(found) | Self::Leaving(found) | Self::Broken { found, .. } => {
                Some(found)
            }
        }
    }

    /// Whether nothing is there.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent { .. })
    }
}

/// Where a listing goes on. Opaque, and good for the same provider and region only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageToken(pub String);

/// One page of what carries our deployment's tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The things on this page.
    pub things: Vec<Listed>,
    /// Where it goes on; none at the end.
    pub next: Option<PageToken>,
}

/// A thing in a listing, with what reconcile needs to judge it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its kind: a key, a volume, a machine or a snapshot.
    pub kind: Kind,
    /// Our id, if its tag has one that can be read.
    pub id: Option<ResourceId>,
    /// The owner that its tags name, if they do.
    pub owner: Option<Owner>,
    /// The architecture, of a machine, or what a volume's tag says.
    pub arch: Option<Arch>,
    /// The zone's name in the provider's words; none for a key.
    pub zone: Option<String>,
    /// What the cloud calls it, and its facts.
    pub found: Found,
    /// The key under which a volume is encrypted; none if it is not.
    pub key: Option<RemoteId>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: Option<i64>,
    /// The cloud's word for its shape: a machine's type, or a volume's.
    pub shape: Option<String>,
    /// Capacity in GiB, of a volume or a snapshot.
    pub size_gib: Option<u32>,
    /// Whether it is on its way out.
    pub is_leaving: bool,
}
