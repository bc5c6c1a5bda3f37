//! What is asked of a cloud. What must not exist can't be spelled: a key is never optional, a medium is always an SSD, a
//! zone always inside its residency, and an architecture always the machine type's own.

use regions::{Arch, MachineType, Placement, Region, SsdKind};
use serde::{Deserialize, Serialize};

use crate::{RemoteId, ResourceId};

/// The kinds of things that we make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An organization's customer-managed key in one region.
    Key,
    /// A cache volume.
    Volume,
    /// A builder machine, its root volume included.
    Machine,
    /// The tie between a machine and a cache volume that existed before it.
    Attachment,
    /// A copy of a volume at one moment. We make none: one that carries our tag is always found, never made.
    Snapshot,
}

impl Kind {
    /// The name in the database, in tags and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Volume => "volume",
            Self::Machine => "machine",
            Self::Attachment => "attachment",
            Self::Snapshot => "snapshot",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whose it is. All of it is written on the thing as tags.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// The organization's name.
    pub org: String,
    /// The project's name; none for a key, which is the organization's.
    pub project: Option<String>,
}

/// Whether a machine is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// On.
    Running,
    /// Off; its volumes stay.
    Stopped,
}

/// An organization's key in a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySpec {
    /// Our id.
    pub id: ResourceId,
    /// The organization.
    pub owner: Owner,
    /// The region.
    pub region: Region,
}

/// The size and speed of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeShape {
    /// The kind of SSD.
    pub ssd: SsdKind,
    /// Capacity in GiB.
    pub size_gib: u32,
    /// Provisioned operations a second; none takes the kind's own base.
    pub iops: Option<u32>,
    /// Provisioned throughput in MiB a second; none takes the kind's own base.
    pub throughput_mibps: Option<u32>,
}

/// The cloud's own word for a kind of SSD, as requests and listings have it (Amazon EBS User Guide, "Amazon EBS volume
/// types"; Compute Engine documentation, "Choose a disk type").
#[must_use]
pub const fn ssd_name(ssd: SsdKind) -> &'static str {
    match ssd {
        SsdKind::Gp3 => "gp3",
        SsdKind::PdSsd => "pd-ssd",
        SsdKind::PdBalanced => "pd-balanced",
        SsdKind::HyperdiskBalanced => "hyperdisk-balanced",
    }
}

/// A cache volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSpec {
    /// Our id.
    pub id: ResourceId,
    /// The organization and project.
    pub owner: Owner,
    /// Where it stands.
    pub placement: Placement,
    /// The architecture of the builds whose cache it holds.
    pub arch: Arch,
    /// Size and speed.
    pub shape: VolumeShape,
    /// The organization's key of that region.
    pub key: RemoteId,
}

/// Where a machine's cache volume comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheSource {
    /// It is born with the machine, and outlives it.
    Born(VolumeSpec),
    /// It exists, in the machine's zone. A cloud that attaches at birth attaches it; for another the plan has an attachment.
    Existing {
        /// Our id of the volume.
        id: ResourceId,
        /// The cloud's name for it.
        remote: RemoteId,
    },
}

/// A builder machine. Its architecture is its type's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineSpec {
    /// Our id.
    pub id: ResourceId,
    /// The organization and project.
    pub owner: Owner,
    /// Where it stands.
    pub placement: Placement,
    /// The machine type, and with it the architecture.
    pub machine: MachineType,
    /// Capacity of the root volume in GiB.
    pub root_gib: u32,
    /// The organization's key of that region: root and cache volume are encrypted with it.
    pub key: RemoteId,
    /// The cache volume.
    pub cache: CacheSource,
}

/// The tie between a machine and a cache volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentSpec {
    /// Our id. An attachment has no tags of its own: it is found by its two ends.
    pub id: ResourceId,
    /// The organization and project.
    pub owner: Owner,
    /// Where both ends stand.
    pub placement: Placement,
    /// The machine.
    pub machine: RemoteId,
    /// The volume.
    pub volume: RemoteId,
}

/// Something that carries our deployment's tag and that no record explains. It is known by the cloud's name alone, and
/// nothing is expected of it: it can be looked at, marked, switched off and taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StraySpec {
    /// Ours for it: see [`ResourceId::of_stray`].
    pub id: ResourceId,
    /// Whose it is by its tags, for people.
    pub owner: Owner,
    /// What it is.
    pub kind: Kind,
    /// Where it was found.
    pub region: Region,
    /// Until when it is to be kept, in milliseconds since 1970: what [`crate::Provider::tag`] writes on it.
    pub quarantine_until_ms: Option<i64>,
}

/// One thing to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spec {
    /// A key.
    Key(KeySpec),
    /// A cache volume.
    Volume(VolumeSpec),
    /// A machine.
    Machine(MachineSpec),
    /// An attachment.
    Attachment(AttachmentSpec),
    /// A thing that no record explains.
    Stray(StraySpec),
}

impl Spec {
    /// Our id of the thing.
    #[must_use]
    pub const fn id(&self) -> ResourceId {
        match self {
            Self::Key(key) => key.id,
            Self::Volume(volume) => volume.id,
            Self::Machine(machine) => machine.id,
            Self::Attachment(attachment) => attachment.id,
            Self::Stray(stray) => stray.id,
        }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Key(_) => Kind::Key,
            Self::Volume(_) => Kind::Volume,
            Self::Machine(_) => Kind::Machine,
            Self::Attachment(_) => Kind::Attachment,
            Self::Stray(stray) => stray.kind,
        }
    }

    /// Whose it is.
    #[must_use]
    pub const fn owner(&self) -> &Owner {
        match self {
            Self::Key(key) => &key.owner,
            Self::Volume(volume) => &volume.owner,
            Self::Machine(machine) => &machine.owner,
            Self::Attachment(attachment) => &attachment.owner,
            Self::Stray(stray) => &stray.owner,
        }
    }

    /// The region in which it stands.
    #[must_use]
    pub fn region(&self) -> Region {
        match self {
            Self::Key(key) => key.region,
            Self::Volume(volume) => volume.placement.region(),
            Self::Machine(machine) => machine.placement.region(),
            Self::Attachment(attachment) => attachment.placement.region(),
            Self::Stray(stray) => stray.region,
        }
    }
}

/// A thing as it should be, and the cloud's name for it where that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// What it should be.
    pub spec: Spec,
    /// What the cloud calls it; none after a lost reply.
    pub remote: Option<RemoteId>,
}
