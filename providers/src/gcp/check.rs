//! Whether what is asked for can be asked of this project at all, found out without a cloud call.

use regions::{Cloud, Region, SsdKind, Zone};

use super::{GcpProvider, key, labels, names};
use crate::{CacheSource, CallError, ErrorClass, MachineSpec, Owner, RemoteId, Spec, VolumeShape, VolumeSpec};

fn invalid(code: &str, message: impl Into<String>) -> CallError {
    CallError::new("check", ErrorClass::Invalid, code, message)
}

impl GcpProvider {
    pub(super) fn check_spec(&self, spec: &Spec) -> Result<(), CallError> {
        self.section(spec.region())?;
        check_owner(spec.owner())?;
        match spec {
            Spec::Key(spec) => key::check_name(&spec.owner.org),
            Spec::Machine(spec) => self.check_machine(spec),
            Spec::Volume(spec) => check_volume(spec),
            Spec::Attachment(_) | Spec::Stray(_) => Ok(()),
        }
    }

    /// The configuration of that region.
    fn section(&self, region: Region) -> Result<&super::GcpRegionConfig, CallError> {
        if region.cloud() != Cloud::Gcp {
            return Err(invalid("WrongCloud", format!("{region} is not a region of Google Cloud")));
        }
        let missing = || invalid("NotConfigured", format!("gcp.regions.{} is not configured", region.name()));
        self.config.region(region).ok_or_else(missing)
    }

    /// The subnetwork there, as a request names it.
    pub(super) fn subnetwork(&self, region: Region) -> Result<String, CallError> {
        let name = &self.section(region)?.subnetwork;
        if name.contains('/') {
            return Ok(name.clone());
        }
        Ok(format!("projects/{}/regions/{}/subnetworks/{name}", self.names.project, region.name()))
    }

    /// The image for that machine's architecture.
    pub(super) fn image(&self, spec: &MachineSpec) -> Result<&str, CallError> {
        let (region, arch) = (spec.placement.region(), spec.machine.arch());
        self.config.image(region, arch).ok_or_else(|| {
            invalid("NotConfigured", format!("gcp.images.{arch} is not configured: {arch} builders need an image"))
        })
    }

    /// The zone and name of something of ours. A path of another project is none.
    pub(super) fn place_of<'a>(&self, remote: &'a RemoteId) -> Result<(&'a str, &'a str), CallError> {
        let ours = remote.as_str().strip_prefix("projects/").and_then(|rest| rest.split('/').next());
        let place = names::zone_and_name(remote.as_str()).filter(|_| ours == Some(self.names.project.as_str()));
        place.ok_or_else(|| invalid("WrongName", format!("`{remote}` is nothing in project {}", self.names.project)))
    }

    fn check_zone(&self, zone: Zone) -> Result<(), CallError> {
        let section = self.section(zone.region())?;
        if section.zones.is_empty() || section.zones.iter().any(|name| name == zone.name()) {
            return Ok(());
        }
        let key = format!("gcp.regions.{}.zones", zone.region().name());
        Err(invalid("NotConfigured", format!("{key} does not have {}", zone.name())))
    }

    fn check_machine(&self, spec: &MachineSpec) -> Result<(), CallError> {
        let zone = spec.placement.zone();
        self.check_zone(zone)?;
        self.image(spec)?;
        if !spec.machine.offered_in(zone) {
            return Err(invalid("NotOffered", format!("{} is not offered in {zone}", spec.machine)));
        }
        check_key(&spec.key, zone.region())?;
        let least = spec.machine.ssds().first().map_or(10, |ssd| least_gib(*ssd).max(10));
        if !(least..=65_536).contains(&spec.root_gib) {
            return Err(invalid(
                "WrongShape",
                format!("a root disk can't have {} GiB: {least} to 65536", spec.root_gib),
            ));
        }
        match &spec.cache {
            CacheSource::Existing { remote, .. } => {
                let place = names::zone_and_name(remote.as_str()).map(|(place, _)| place);
                if remote.is_known() && place != Some(zone.name()) {
                    let message = format!("cache disk {remote} is not in {zone}, where the machine is to stand");
                    return Err(invalid("CacheElsewhere", message));
                }
                Ok(())
            }
            CacheSource::Born(volume) => {
                check_volume(volume)?;
                if volume.placement != spec.placement || volume.key != spec.key {
                    return Err(invalid("CacheElsewhere", "a cache disk is born in its machine's zone, with its key"));
                }
                if !spec.machine.ssds().contains(&volume.shape.ssd) {
                    let message = format!("{} takes no {:?}", spec.machine, volume.shape.ssd);
                    return Err(invalid("WrongSsd", message));
                }
                Ok(())
            }
        }
    }
}

fn check_owner(owner: &Owner) -> Result<(), CallError> {
    let names = std::iter::once(&owner.org).chain(&owner.project);
    match names.into_iter().find(|name| !labels::fits(name)) {
        None => Ok(()),
        Some(name) => {
            let message = format!("`{name}` can't be a label: lower-case letters, digits, - and _ only, at most 63");
            Err(invalid("WrongName", message))
        }
    }
}

fn check_volume(spec: &VolumeSpec) -> Result<(), CallError> {
    check_key(&spec.key, spec.placement.region())?;
    check_shape(spec.shape)
}

/// A key of another location would take the data's secret out of its residency.
fn check_key(key: &RemoteId, region: Region) -> Result<(), CallError> {
    if !key.is_known() || names::location_of(key) == Some(region.name()) {
        return Ok(());
    }
    Err(invalid("WrongKey", format!("`{key}` is not the name of a Cloud KMS key in {}", region.name())))
}

/// Compute Engine documentation, "Persistent Disk", size limits (10 GiB at least), and "About Hyperdisk", size and performance
/// limits (4 GiB at least).
const fn least_gib(ssd: SsdKind) -> u32 {
    match ssd {
        SsdKind::HyperdiskBalanced => 4,
        SsdKind::Gp3 | SsdKind::PdSsd | SsdKind::PdBalanced => 10,
    }
}

fn check_shape(shape: VolumeShape) -> Result<(), CallError> {
    let VolumeShape { ssd, size_gib, iops, throughput_mibps } = shape;
    if !(least_gib(ssd)..=65_536).contains(&size_gib) {
        let message = format!("{ssd:?} can't have {size_gib} GiB: {} to 65536", least_gib(ssd));
        return Err(invalid("WrongShape", message));
    }
    match ssd {
        SsdKind::Gp3 => Err(invalid("WrongSsd", "Google Cloud has no gp3")),
        SsdKind::PdSsd | SsdKind::PdBalanced => {
            if iops.is_none() && throughput_mibps.is_none() {
                return Ok(());
            }
            // Persistent Disk's speed follows its size (Compute Engine documentation, "Configure disks to meet performance
            // requirements").
            Err(invalid("WrongShape", format!("{ssd:?} takes no IOPS and no throughput: its speed follows its size")))
        }
        SsdKind::HyperdiskBalanced => {
            let fits = iops.is_none_or(|iops| {
                (3000..=160_000).contains(&iops) && u64::from(iops) <= (u64::from(size_gib) * 500).max(3000)
            }) && throughput_mibps.is_none_or(|rate| {
                (140..=2400).contains(&rate) && u64::from(rate) * 4 <= u64::from(iops.unwrap_or(3000)).max(560)
            });
            if fits {
                return Ok(());
            }
            let message = format!(
                "hyperdisk-balanced of {size_gib} GiB can't have {iops:?} IOPS and {throughput_mibps:?} MiB/s: 3000-160000 IOPS of \
                 at most 500 for each GiB, 140-2400 MiB/s of at most 0.25 for each IOPS"
            );
            Err(invalid("WrongShape", message))
        }
    }
}
