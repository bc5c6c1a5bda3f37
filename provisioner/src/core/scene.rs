//! What the database knows of a job's surroundings when its plan is made.

use providers::VolumeShape;
use regions::{Cloud, Region, Residency, Size};
use serde::{Deserialize, Serialize};

use super::{Name, OrgId, ProjectId, ResourceRow};

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Org {
    /// Its id.
    pub id: OrgId,
    /// Its name.
    pub name: Name,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// Whether its deletion has been accepted.
    pub deleting: bool,
}

/// A project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its organization.
    pub org: OrgId,
    /// Its name, unique within the organization.
    pub name: Name,
    /// Where its data must stay.
    pub residency: Residency,
    /// Its cloud, for life.
    pub cloud: Cloud,
    /// The region to which it is bound; none lets it go to any configured one inside its residency.
    pub region: Option<Region>,
    /// The size of its builders.
    pub size: Size,
    /// The shape of its cache volumes; the SSD kind is the machine type's preferred one.
    pub cache: CacheShape,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// Whether its deletion has been accepted.
    pub deleting: bool,
}

/// What a project asks of its cache volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheShape {
    /// Capacity in GiB.
    pub size_gib: u32,
    /// Provisioned operations a second.
    pub iops: Option<u32>,
    /// Provisioned throughput in MiB a second.
    pub throughput_mibps: Option<u32>,
}

impl CacheShape {
    /// The same on that kind of SSD.
    #[must_use]
    pub const fn on(self, ssd: regions::SsdKind) -> VolumeShape {
        VolumeShape { ssd, size_gib: self.size_gib, iops: self.iops, throughput_mibps: self.throughput_mibps }
    }
}

/// Everything that a plan may depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// The organization.
    pub org: Org,
    /// The projects in the job's scope: one, or all of the organization.
    pub projects: Vec<Project>,
    /// Every resource in the job's scope, and the organization's keys.
    pub resources: Vec<ResourceRow>,
}
