//! Where things may stand: residencies, the regions and zones inside them, builder sizes and the machine types that fill them.
//!
//! Pure data and types. This crate does no I/O, knows no clock, and never lets a zone of one residency
//! be used for a project of another.

mod arch;
mod catalogue;
mod cloud;
mod machine;
pub mod price;
mod residency;
mod size;
mod zone;

pub use arch::{Arch, UnknownArch};
pub use catalogue::{RefusedRegion, refused_regions, regions};
pub use cloud::{Cloud, UnknownCloud};
pub use machine::{MachineType, SsdKind, UnknownMachineType, machine_types};
pub use residency::{Eu, Jurisdiction, Residency, UnknownResidency, Us};
pub use size::{Size, UnknownSize};
pub use zone::{Home, Placement, Region, RegionError, Site, Zone};
