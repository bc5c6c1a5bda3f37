//! Machine types: which of them fill a builder size, in which order they are tried, and which SSDs they take.
//!
//! The rule of a fit: exactly the size's vCPUs and at least its memory; exact fits are tried before larger ones. What is in stock is
//! the cloud's to say and never recorded here.

mod aws;
mod gcp;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Arch, Cloud, Size, Zone};

/// A kind of SSD-backed block storage. There are no others in this product: a spinning disk can't be spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SsdKind {
    /// Amazon EBS General Purpose SSD, third generation.
    Gp3,
    /// Google Persistent Disk, SSD.
    PdSsd,
    /// Google Persistent Disk, balanced (SSD-backed).
    PdBalanced,
    /// Google Hyperdisk Balanced.
    HyperdiskBalanced,
}

/// One machine type. Its architecture is part of it: no request can name another. Text form: `aws/m7g.xlarge`.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MachineType(&'static Row);

struct Row {
    cloud: Cloud,
    name: &'static str,
    arch: Arch,
    size: Size,
    memory_gib: u16,
    /// Usable SSD kinds, the one to prefer first.
    ssds: &'static [SsdKind],
    /// The only zones that have it; empty where no zone is known to lack it.
    only_zones: &'static [&'static str],
    /// Regions and single zones that are known to lack it.
    absent_from: &'static [&'static str],
}

fn rows() -> impl Iterator<Item = &'static Row> {
    aws::ROWS.iter().chain(gcp::ROWS)
}

/// The machine types of that cloud and architecture that fill that size, in the order in which they are tried.
pub fn machine_types(cloud: Cloud, arch: Arch, size: Size) -> impl Iterator<Item = MachineType> {
    rows().filter(move |row| row.cloud == cloud && row.arch == arch && row.size == size).map(MachineType)
}

impl MachineType {
    /// The cloud.
    #[must_use]
    pub fn cloud(self) -> Cloud {
        self.0.cloud
    }

    /// The provider's name, such as `c7g.2xlarge`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// The architecture.
    #[must_use]
    pub fn arch(self) -> Arch {
        self.0.arch
    }

    /// The size that it fills.
    #[must_use]
    pub fn size(self) -> Size {
        self.0.size
    }

    /// Its memory in GiB, which is the size's or more.
    #[must_use]
    pub fn memory_gib(self) -> u16 {
        self.0.memory_gib
    }

    /// The SSD kinds that it takes, the one to prefer first; never empty.
    #[must_use]
    pub fn ssds(self) -> &'static [SsdKind] {
        self.0.ssds
    }

    /// Whether that zone can have it at all; what is in stock only the cloud knows.
    #[must_use]
    pub fn offered_in(self, zone: Zone) -> bool {
        let listed = self.0.only_zones.is_empty() || self.0.only_zones.contains(&zone.name());
        let absent = self.0.absent_from.iter().any(|place| [zone.name(), zone.region().name()].contains(place));
        self.cloud() == zone.cloud() && listed && !absent
    }
}

/// A machine type that the catalogue does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown machine type `{0}`: the catalogue has no such row")]
pub struct UnknownMachineType(pub String);

impl TryFrom<String> for MachineType {
    type Error = UnknownMachineType;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        rows().map(MachineType).find(|machine| machine.to_string() == text).ok_or(UnknownMachineType(text))
    }
}

impl From<MachineType> for String {
    fn from(machine: MachineType) -> Self {
        machine.to_string()
    }
}

impl PartialEq for MachineType {
    fn eq(&self, other: &Self) -> bool {
        (self.cloud(), self.name()) == (other.cloud(), other.name())
    }
}

impl Eq for MachineType {}

impl std::hash::Hash for MachineType {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.cloud(), self.name()).hash(state);
    }
}

impl fmt::Display for MachineType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.cloud(), self.name()))
    }
}

impl fmt::Debug for MachineType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
