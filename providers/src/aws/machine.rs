//! A builder machine: the one request that makes it, and what its state means.

use std::collections::HashMap;

use aws_sdk_ec2::types::{
    AttachmentStatus, BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification, Instance,
    InstanceBlockDeviceMapping, InstanceMetadataEndpointState, InstanceMetadataOptionsRequest, InstanceStateName,
    InstanceType, ResourceType, ShutdownBehavior, Tag, TagSpecification, VolumeType,
};

use super::verify::{Disk, instance_trouble, wrong};
use super::{AwsProvider, CACHE_DEVICE, codes, error::code, error::refused, name, tags};
use crate::{
    CacheSource, CallError, ErrorClass, Found, MachineSpec, Observed, Power, RemoteId, Target, Token, Trouble,
};

impl AwsProvider {
    /// One `RunInstances`. A token that made an instance before gets the same one
    /// (Amazon EC2 API Reference, "Ensuring idempotency").
    pub(super) async fn ensure_machine(
        &self,
        token: &Token,
        target: &Target,
        spec: &MachineSpec,
    ) -> Result<Observed, CallError> {
        let region = spec.placement.region();
        if target.remote.is_some() {
            return self.observe_one(region, target).await;
        }
        let call = "ec2:RunInstances";
        let what = name(&target.spec, None);
        let section = self.section(region)?;
        let cache = match &spec.cache {
            CacheSource::Born(volume) => Some(volume),
            CacheSource::Existing { .. } => None,
        };
        let root = ebs(spec).volume_size(size(spec.root_gib)).delete_on_termination(true).build();
        let born = cache.map(|volume| {
            let disk = ebs(spec)
                .volume_size(size(volume.shape.size_gib))
                .set_iops(volume.shape.iops.map(size))
                .set_throughput(volume.shape.throughput_mibps.map(size))
                .delete_on_termination(false);
            BlockDeviceMapping::builder().device_name(CACHE_DEVICE).ebs(disk.build()).build()
        });
        let disks = [BlockDeviceMapping::builder().device_name(&section.root_device).ebs(root).build()];
        let disks = disks.into_iter().chain(born).collect();
        let metadata = InstanceMetadataOptionsRequest::builder()
            .http_endpoint(InstanceMetadataEndpointState::Enabled)
            .http_tokens(HttpTokensState::Required)
            .http_put_response_hop_limit(1);
        let profile = section.instance_profile.as_ref().map(|profile| {
            let specification = IamInstanceProfileSpecification::builder();
            specification.name(profile).build()
        });
        let request = (self.clients(region).await.ec2.run_instances())
            .client_token(token.as_str())
            .min_count(1)
            .max_count(1)
            .image_id(self.image(spec)?)
            .instance_type(InstanceType::from(spec.machine.name()))
            .subnet_id(self.subnet(spec.placement.zone())?)
            .set_security_group_ids(Some(section.security_groups.clone()))
            .set_iam_instance_profile(profile)
            .metadata_options(metadata.build())
            .instance_initiated_shutdown_behavior(ShutdownBehavior::Stop)
            // All types of the catalogue are EBS-optimized at no charge; saying so refuses one that is not.
            .ebs_optimized(true)
            .set_block_device_mappings(Some(disks))
            .tag_specifications(tagging(ResourceType::Instance, &tags::of_machine(&self.deployment, spec)))
            .tag_specifications(tagging(
                ResourceType::Volume,
                &tags::of_volumes(&self.deployment, spec, cache.map(|volume| volume.id)),
            ));
        let answer = match request.send().await {
            Ok(answer) => answer,
            // This token's machine was made, and is no more: it died before anyone could look, or was ended.
            Err(error) if code(&error) == Some("IdempotentInstanceTerminated") => {
                let shadows = self.instances_by(region, "client-token", vec![token.as_str().to_owned()]).await?;
                let died = shadows.iter().find_map(died).unwrap_or_else(|| spent(&what));
                return Ok(Observed::Absent { died: Some(died) });
            }
            Err(error) => return Err(refused(call, &what, &error)),
        };
        let Some(instance) = answer.instances().first() else {
            return Err(CallError::new(call, ErrorClass::Ambiguous, "Empty", format!("{what}: the answer names none")));
        };
        Ok(first_look(instance, &what))
    }
}

/// What the reply to `RunInstances` says. Only a later look can verify, so it is never ready.
fn first_look(instance: &Instance, what: &str) -> Observed {
    match state(instance) {
        Some(InstanceStateName::Terminated) => {
            Observed::Absent { died: Some(died(instance).unwrap_or_else(|| spent(what))) }
        }
        Some(InstanceStateName::ShuttingDown) => Observed::Leaving(found(instance, None)),
        _ => Observed::Pending(found(instance, None)),
    }
}

/// The end of a machine that left no reason. The token that made it can make no other.
fn spent(what: &str) -> Trouble {
    let message = format!("{what}: the machine that this token made is gone; another needs another token");
    Trouble { class: ErrorClass::Unavailable, code: "IdempotentInstanceTerminated".to_owned(), message }
}

fn ebs(spec: &MachineSpec) -> aws_sdk_ec2::types::builders::EbsBlockDeviceBuilder {
    EbsBlockDevice::builder().volume_type(VolumeType::Gp3).encrypted(true).kms_key_id(spec.key.as_str())
}

fn size(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn tagging(kind: ResourceType, pairs: &[tags::Pair]) -> TagSpecification {
    let tags = pairs.iter().map(|(key, value)| Tag::builder().key(*key).value(value).build());
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags.collect())).build()
}

/// The state's name.
pub(super) fn state(instance: &Instance) -> Option<&InstanceStateName> {
    instance.state().and_then(|state| state.name())
}

/// Whether it is neither gone nor going.
pub(super) fn is_live(instance: &Instance) -> bool {
    !matches!(state(instance), Some(InstanceStateName::Terminated | InstanceStateName::ShuttingDown))
}

fn died(instance: &Instance) -> Option<Trouble> {
    let reason = instance.state_reason()?;
    codes::reason(reason.code(), reason.message(), instance.instance_id().unwrap_or_default())
}

/// The name of its root device: its own word for it, or else the configured one.
fn root_device<'a>(instance: &'a Instance, configured: &'a str) -> &'a str {
    instance.root_device_name().filter(|device| !device.is_empty()).unwrap_or(configured)
}

fn mapping(instance: &Instance, fits: impl Fn(&str) -> bool) -> Option<&InstanceBlockDeviceMapping> {
    instance.block_device_mappings().iter().find(|mapping| mapping.device_name().is_some_and(&fits))
}

fn volume_of(mapping: Option<&InstanceBlockDeviceMapping>) -> Option<&str> {
    mapping.and_then(|mapping| mapping.ebs()).and_then(|ebs| ebs.volume_id())
}

/// The volumes that must have been read before a machine at rest can be judged.
pub(super) fn volumes_to_read(instance: &Instance) -> Vec<&str> {
    match state(instance) {
        Some(InstanceStateName::Running | InstanceStateName::Stopped) => {
            instance.block_device_mappings().iter().filter_map(|mapping| volume_of(Some(mapping))).collect()
        }
        _ => Vec::new(),
    }
}

/// The facts of an instance.
pub(super) fn found(instance: &Instance, power: Option<Power>) -> Found {
    let cache = volume_of(mapping(instance, |device| device == CACHE_DEVICE));
    let address = instance.private_ip_address().filter(|_| power == Some(Power::Running));
    Found {
        power,
        cache: cache.map(RemoteId::from),
        address: address.map(ToOwned::to_owned),
        quarantined_until_ms: tags::quarantined_until(tags::get(instance.tags(), tags::QUARANTINE)),
        ..Found::new(RemoteId::from(instance.instance_id().unwrap_or_default()))
    }
}

/// Judges one instance. `disks` has what was read of its volumes.
pub(super) fn judge(
    deployment: &str,
    configured_root: &str,
    spec: &MachineSpec,
    instance: &Instance,
    disks: &HashMap<String, Disk>,
) -> Observed {
    match state(instance) {
        Some(InstanceStateName::Terminated) => Observed::Absent { died: died(instance) },
        Some(InstanceStateName::ShuttingDown) => Observed::Leaving(found(instance, None)),
        Some(InstanceStateName::Running) => {
            at_rest(deployment, configured_root, spec, instance, disks, found(instance, Some(Power::Running)))
        }
        Some(InstanceStateName::Stopped) => {
            let found = found(instance, Some(Power::Stopped));
            // A start that failed, for want of the key for one, ends here and not in an error.
            match died(instance) {
                Some(why) => Observed::Broken { found, why },
                None => at_rest(deployment, configured_root, spec, instance, disks, found),
            }
        }
        _ => Observed::Pending(found(instance, None)),
    }
}

fn at_rest(
    deployment: &str,
    configured_root: &str,
    spec: &MachineSpec,
    instance: &Instance,
    disks: &HashMap<String, Disk>,
    found: Found,
) -> Observed {
    if let Some(why) = instance_trouble(deployment, spec, instance) {
        return Observed::Broken { found, why };
    }
    let id = found.remote.as_str();
    let device = root_device(instance, configured_root);
    if device != configured_root {
        let key = format!("aws.regions.{}.root_device", spec.placement.region().name());
        let message =
            format!("the root device of machine {id} is {device}, so its encryption was not asked for: set {key}");
        return Observed::Broken { found: found.clone(), why: wrong("WrongRootDevice", message) };
    }
    let root = volume_of(mapping(instance, |name| name == device));
    let cache = mapping(instance, |name| name == CACHE_DEVICE);
    if let (CacheSource::Existing { remote, .. }, Some(other)) = (&spec.cache, volume_of(cache))
        && other != remote.as_str()
    {
        let message = format!("machine {id} has {other} as its cache, not {remote}");
        return Observed::Broken { found: found.clone(), why: wrong("WrongCache", message) };
    }
    if cache.and_then(|mapping| mapping.ebs()).and_then(|ebs| ebs.delete_on_termination()) == Some(true) {
        let message = format!("the cache volume of machine {id} would be deleted with it");
        return Observed::Broken { found: found.clone(), why: wrong("CacheNotKept", message) };
    }
    // Not all is shown yet: look again.
    let Some(root) = root else { return Observed::Pending(found) };
    let must_have_cache = matches!(spec.cache, CacheSource::Born(_));
    let attached = cache.and_then(|mapping| mapping.ebs()).and_then(|ebs| ebs.status());
    if must_have_cache && !matches!(attached, Some(AttachmentStatus::Attached)) {
        return Observed::Pending(found);
    }
    let zone = spec.placement.zone().name();
    let parts = [("root volume", Some(root)), ("cache volume", volume_of(cache))];
    for (part, volume) in parts.into_iter().filter_map(|(part, volume)| volume.map(|volume| (part, volume))) {
        let Some(disk) = disks.get(volume) else { return Observed::Pending(found) };
        if let Some(why) = disk.trouble(part, volume, &spec.key, zone) {
            return Observed::Broken { found, why };
        }
    }
    Observed::Ready(found)
}
