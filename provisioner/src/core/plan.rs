//! What a job is going to do, as immutable data: a list of resources and the state in which each should be.
//!
//! A plan is never changed. When its candidate has no capacity it is unwound, and another plan is made.

use std::collections::BTreeMap;

use providers::{Kind, Owner, Power, RemoteId, ResourceId, Trouble, VolumeShape};
use regions::{Arch, MachineType, Placement, Region, RegionError, Zone};
use serde::{Deserialize, Serialize};

use super::{OrgId, ProjectId, RowState};

mod candidates;
pub mod make;

pub use candidates::{Candidate, Stock};
pub use make::plan;

/// What a resource should be, with other resources named by our ids: the cloud's names are not known yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Blueprint {
    /// The organization's key in a region.
    Key {
        /// The region.
        region: Region,
    },
    /// A cache volume.
    Volume {
        /// Where it stands.
        placement: Placement,
        /// Whose builds it serves.
        arch: Arch,
        /// Size and speed.
        shape: VolumeShape,
        /// Its key.
        key: ResourceId,
    },
    /// A builder machine.
    Machine {
        /// Where it stands.
        placement: Placement,
        /// Its type.
        machine: MachineType,
        /// Capacity of the root volume in GiB.
        root_gib: u32,
        /// Its key.
        key: ResourceId,
        /// Its cache volume.
        cache: ResourceId,
        /// Whether the cache volume is born with it.
        births_cache: bool,
    },
    /// The tie between a machine and a volume that existed before it.
    Attachment {
        /// Where both stand.
        placement: Placement,
        /// The machine.
        machine: ResourceId,
        /// The volume.
        volume: ResourceId,
    },
    /// Something that no record explains: nothing is expected of it.
    Stray {
        /// Where it was found.
        region: Region,
        /// What it is.
        of: Kind,
        /// Until when it is kept, in milliseconds since 1970.
        until_ms: Option<i64>,
    },
}

impl Blueprint {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Key { .. } => Kind::Key,
            Self::Volume { .. } => Kind::Volume,
            Self::Machine { .. } => Kind::Machine,
            Self::Attachment { .. } => Kind::Attachment,
            Self::Stray { of, .. } => *of,
        }
    }

    /// The region in which it stands.
    #[must_use]
    pub fn region(&self) -> Region {
        match self {
            Self::Key { region } | Self::Stray { region, .. } => *region,
            Self::Volume { placement, .. } | Self::Machine { placement, .. } | Self::Attachment { placement, .. } => {
                placement.region()
            }
        }
    }

    /// The key under which it is; none for what has none of its own.
    #[must_use]
    pub const fn key(&self) -> Option<ResourceId> {
        match self {
            Self::Volume { key, .. } | Self::Machine { key, .. } => Some(*key),
            Self::Key { .. } | Self::Attachment { .. } | Self::Stray { .. } => None,
        }
    }

    /// Whether the database has a row for it.
    #[must_use]
    pub const fn has_row(&self) -> bool {
        match self {
            Self::Key { .. } | Self::Volume { .. } | Self::Machine { .. } => true,
            Self::Attachment { .. } | Self::Stray { .. } => false,
        }
    }

    /// The zone in which it stands; none for a key, and for what is known by name alone.
    #[must_use]
    pub fn zone(&self) -> Option<Zone> {
        match self {
            Self::Key { .. } | Self::Stray { .. } => None,
            Self::Volume { placement, .. } | Self::Machine { placement, .. } | Self::Attachment { placement, .. } => {
                Some(placement.zone())
            }
        }
    }
}

/// The state in which a step wants its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// There, and as specified.
    Present,
    /// There, as specified, and on.
    Running,
    /// There, as specified, and off.
    Stopped,
    /// There, and carrying the tags that it should.
    Tagged,
    /// Written down as the cloud shows it, whatever that is.
    Recorded,
    /// Not there.
    Gone,
}

impl Goal {
    /// The power that it wants, if it cares.
    #[must_use]
    pub const fn power(self) -> Option<Power> {
        match self {
            Self::Running => Some(Power::Running),
            Self::Stopped => Some(Power::Stopped),
            Self::Present | Self::Tagged | Self::Recorded | Self::Gone => None,
        }
    }
}

/// What the database said of a resource before the plan began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prior {
    /// The cloud's name for it, if known.
    pub remote: Option<RemoteId>,
    /// How it stood.
    pub state: RowState,
}

/// One resource and where it should get to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Our id of the resource.
    pub resource: ResourceId,
    /// The organization.
    pub org: OrgId,
    /// The project; none for a key.
    pub project: Option<ProjectId>,
    /// The architecture; none for a key.
    pub arch: Option<Arch>,
    /// The owner as its tags have it.
    pub owner: Owner,
    /// What it should be.
    pub blueprint: Blueprint,
    /// Where it should get to.
    pub goal: Goal,
    /// Part of the idempotency token; raised with every plan of a job.
    pub incarnation: u32,
    /// What there was before; none for what this plan makes.
    pub prior: Option<Prior>,
    /// The resource with which it is born. It then needs no call of its own.
    pub born_with: Option<ResourceId>,
}

impl Step {
    /// Whether an unwinding takes it away: what this plan made, except keys, which are the organization's and shared by its
    /// jobs, and attachments, which go with their machine.
    #[must_use]
    pub fn is_undone(&self) -> bool {
        self.prior.is_none() && self.goal != Goal::Gone && matches!(self.blueprint.kind(), Kind::Volume | Kind::Machine)
    }
}

/// A tenant's row that goes when a job has succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drop {
    /// A project.
    Project(ProjectId),
    /// An organization.
    Org(OrgId),
}

/// What a job is going to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// 0 for a job's first plan.
    pub generation: u32,
    /// The zone and machine type that it tries, if it makes a machine.
    pub candidate: Option<Candidate>,
    /// In order of making. Undo goes the other way.
    pub steps: Vec<Step>,
    /// The cloud's names of things that steps refer to and that are not steps themselves.
    pub known: BTreeMap<ResourceId, RemoteId>,
    /// What goes from the database at the end.
    pub drops: Option<Drop>,
}

impl Plan {
    /// The step for that resource.
    #[must_use]
    pub fn step(&self, resource: ResourceId) -> Option<&Step> {
        self.steps.iter().find(|step| step.resource == resource)
    }
}

/// Why there is no plan. Nothing has been done, and the job fails with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The request can't be met as things are.
    #[error("{0}")]
    Refused(Trouble),
    /// A row says what the catalogue forbids.
    #[error(transparent)]
    Region(#[from] RegionError),
}
