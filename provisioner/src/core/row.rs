//! What the database says of a resource.

use providers::{Kind, RemoteId, ResourceId};
use regions::{Arch, Region, Zone};
use serde::{Deserialize, Serialize};

use super::{Blueprint, JobId, OrgId, ProjectId};

/// How a resource stood when it was last heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    /// A call was begun and not answered: there may be something.
    Maybe,
    /// It is being made, started or stopped.
    Pending,
    /// A key or a volume at rest, or a machine that runs.
    Ready,
    /// A machine that is off.
    Stopped,
    /// It is on its way out.
    Leaving,
    /// It is not as it should be.
    Broken,
}

impl RowState {
    /// The name in the database and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Maybe => "maybe",
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Stopped => "stopped",
            Self::Leaving => "leaving",
            Self::Broken => "broken",
        }
    }
}

/// A key, a cache volume or a builder machine that exists or may exist. Attachments have no row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceRow {
    /// Our id.
    pub id: ResourceId,
    /// A key, a volume or a machine.
    pub kind: Kind,
    /// The organization.
    pub org: OrgId,
    /// The project; none for a key.
    pub project: Option<ProjectId>,
    /// The architecture; none for a key.
    pub arch: Option<Arch>,
    /// The region.
    pub region: Region,
    /// The zone; none for a key.
    pub zone: Option<Zone>,
    /// The cloud's name for it, once known.
    pub remote: Option<RemoteId>,
    /// How it stands.
    pub state: RowState,
    /// Raised whenever it is asked for anew with another request.
    pub incarnation: u32,
    /// What it should be.
    pub blueprint: Blueprint,
    /// The private address of a running machine.
    pub address: Option<String>,
    /// The job that wrote last.
    pub job: JobId,
    /// When the row was first written, in milliseconds since 1970. Filled in by the store.
    pub created_ms: i64,
    /// When it was last written. Filled in by the store.
    pub updated_ms: i64,
}

/// What recording a fact does to the resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowChange {
    /// Write the row, new or not. A key's row is refused while another live job is in the middle of making it.
    Put(Box<ResourceRow>),
    /// The cloud has confirmed that nothing is there.
    Drop(ResourceId),
}
