//! What the database knows of a job's surroundings when its plan is made.

use providers::{Kind, Owner, RemoteId, ResourceId, VolumeShape};
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
    /// The thing without a record, where the job is about one.
    pub stray: Option<Stray>,
}

/// Something that carries our deployment's tag and that no record explained when it was last looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// Its finding.
    pub id: ResourceId,
    /// What it is.
    pub kind: Kind,
    /// Where it was found.
    pub region: Region,
    /// The cloud's name for it.
    pub remote: RemoteId,
    /// Whose it is by its tags, for people.
    pub owner: Owner,
    /// Until when it is kept, in milliseconds since 1970; none if nobody has said.
    pub quarantine_until_ms: Option<i64>,
    /// The resource whose record names it by now, if one does: then it is no stray any more.
    pub explained_by: Option<ResourceId>,
}
