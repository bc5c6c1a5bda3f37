//! Whether what is asked for can be asked of this account at all, found out without a cloud call.

use regions::{Cloud, Region, SsdKind, Zone};

use super::{AwsProvider, AwsRegionConfig, key};
use crate::{CacheSource, CallError, ErrorClass, MachineSpec, RemoteId, Spec, VolumeShape, VolumeSpec};

fn invalid(code: &str, message: impl Into<String>) -> CallError {
    CallError::new("check", ErrorClass::Invalid, code, message)
}

impl AwsProvider {
    pub(super) fn check_spec(&self, spec: &Spec) -> Result<(), CallError> {
        self.section(spec.region())?;
        match spec {
            Spec::Key(spec) => key::check_name(&spec.owner.org),
            Spec::Machine(spec) => self.check_machine(spec),
            Spec::Volume(spec) => check_volume(spec),
            Spec::Attachment(_) | Spec::Stray(_) => Ok(()),
        }
    }

    /// The configuration of that region.
    pub(super) fn section(&self, region: Region) -> Result<&AwsRegionConfig, CallError> {
        if region.cloud() != Cloud::Aws {
            return Err(invalid("WrongCloud", format!("{region} is not a region of AWS")));
        }
        let missing = || invalid("NotConfigured", format!("aws.regions.{} is not configured", region.name()));
        self.config.region(region).ok_or_else(missing)
    }

    /// The configured name of the root device there.
    pub(super) fn root_device(&self, region: Region) -> &str {
        self.config.region(region).map_or("", |section| section.root_device.as_str())
    }

    /// The subnet of that zone.
    pub(super) fn subnet(&self, zone: Zone) -> Result<&str, CallError> {
        let region = zone.region();
        let missing = || {
            let key = format!("aws.regions.{}.subnets.{}", region.name(), zone.name());
            invalid("NotConfigured", format!("{key} is not configured: builders in that zone need a subnet"))
        };
        self.section(region)?.subnets.get(zone.name()).map(String::as_str).ok_or_else(missing)
    }

    /// The image for that machine's architecture.
    pub(super) fn image(&self, spec: &MachineSpec) -> Result<&str, CallError> {
        let (region, arch) = (spec.placement.region(), spec.machine.arch());
        let missing = || {
            let key = format!("aws.regions.{}.images.{arch}", region.name());
            invalid("NotConfigured", format!("{key} is not configured: {arch} builders need an image"))
        };
        self.section(region)?.images.get(arch.as_str()).map(String::as_str).ok_or_else(missing)
    }

    fn check_machine(&self, spec: &MachineSpec) -> Result<(), CallError> {
        let zone = spec.placement.zone();
        self.subnet(zone)?;
        self.image(spec)?;
        if !spec.machine.offered_in(zone) {
            return Err(invalid("NotOffered", format!("{} is not offered in {zone}", spec.machine)));
        }
        check_key(&spec.key, spec.placement.region())?;
        match &spec.cache {
            CacheSource::Existing { .. } => Ok(()),
            CacheSource::Born(volume) => {
                check_volume(volume)?;
                if volume.placement != spec.placement || volume.key != spec.key {
                    return Err(invalid(
                        "CacheElsewhere",
                        "a cache volume is born in its machine's zone, with its key",
                    ));
                }
                Ok(())
            }
        }
    }
}

fn check_volume(spec: &VolumeSpec) -> Result<(), CallError> {
    check_key(&spec.key, spec.placement.region())?;
    check_shape(spec.shape)
}

/// A key of another region would take the data's secret out of its residency.
fn check_key(key: &RemoteId, region: Region) -> Result<(), CallError> {
    if !key.is_known() {
        return Ok(());
    }
    let parts: Vec<&str> = key.as_str().split(':').collect();
    match parts.as_slice() {
        ["arn", _, "kms", place, _, _] if *place == region.name() => Ok(()),
        _ => Err(invalid("WrongKey", format!("`{key}` is not the ARN of a KMS key in {}", region.name()))),
    }
}

/// Source: Amazon EC2 API Reference, `EbsBlockDevice`; Amazon EBS User Guide, "General Purpose SSD volumes" (at most
/// 500 IOPS for each GiB, and 0.25 MiB/s for each IOPS).
fn check_shape(shape: VolumeShape) -> Result<(), CallError> {
    let VolumeShape { ssd, size_gib, iops, throughput_mibps } = shape;
    match ssd {
        SsdKind::Gp3 => {}
        SsdKind::PdSsd | SsdKind::PdBalanced | SsdKind::HyperdiskBalanced => {
            return Err(invalid("WrongSsd", "AWS has no such kind of SSD: use gp3"));
        }
    }
    let (base, rate) = (iops.unwrap_or(3000), throughput_mibps.unwrap_or(125));
    let fits = (1..=65_536).contains(&size_gib)
        && (3000..=80_000).contains(&base)
        && (125..=2000).contains(&rate)
        && (iops.is_none() || u64::from(base) <= (u64::from(size_gib) * 500).max(3000))
        && u64::from(rate) * 4 <= u64::from(base);
    if fits {
        return Ok(());
    }
    let message = format!(
        "gp3 can't be {size_gib} GiB with {base} IOPS and {rate} MiB/s: 1-65536 GiB, 3000-80000 IOPS of at most 500 for \
         each GiB, 125-2000 MiB/s of at most 0.25 for each IOPS"
    );
    Err(invalid("WrongShape", message))
}
