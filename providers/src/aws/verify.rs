//! What was read back, held against what was asked for: encryption, key, zone, architecture, tags. Never assumed,
//! because EC2 checks a key only after it has said yes (Amazon EC2 API Reference, `CreateVolume`, `KmsKeyId`).

use std::sync::PoisonError;

use aws_sdk_ec2::types::{HttpTokensState, Instance, Volume};

use super::{AwsProvider, tags};
use crate::{ErrorClass, MachineSpec, RemoteId, Trouble, VolumeSpec};

/// More volumes than one process drives; past it the memory starts anew.
const MOST_DISKS: usize = 20_000;

/// What of a volume never changes. A volume is encrypted for ever, or never, and its key can't be exchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    key: Option<String>,
    zone: String,
}

impl Disk {
    pub(super) fn read(volume: &Volume) -> Self {
        let key = volume.kms_key_id().filter(|_| volume.encrypted() == Some(true));
        Self { key: key.map(ToOwned::to_owned), zone: volume.availability_zone().unwrap_or_default().to_owned() }
    }

    /// What is wrong with it, `part` being its name for people.
    pub(super) fn trouble(&self, part: &str, id: &str, key: &RemoteId, zone: &str) -> Option<Trouble> {
        match &self.key {
            None => {
                Some(wrong("NotEncrypted", format!("{part} {id} is not encrypted with the organization's key {key}")))
            }
            Some(found) if found != key.as_str() => Some(wrong(
                "WrongKey",
                format!("{part} {id} is encrypted with {found}, not with the organization's key {key}"),
            )),
            Some(_) if self.zone != zone => {
                Some(wrong("WrongZone", format!("{part} {id} is in {}, not {zone}", self.zone)))
            }
            Some(_) => None,
        }
    }
}

impl AwsProvider {
    /// What is remembered of that volume.
    pub(super) fn known_disk(&self, id: &str) -> Option<Disk> {
        self.disks.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Remembers volumes that are past their creation.
    pub(super) fn learn_disks<'a>(&self, volumes: impl Iterator<Item = &'a Volume>) {
        let mut disks = self.disks.lock().unwrap_or_else(PoisonError::into_inner);
        if disks.len() > MOST_DISKS {
            disks.clear();
        }
        disks.extend(volumes.filter_map(|volume| Some((volume.volume_id()?.to_owned(), Disk::read(volume)))));
    }
}

/// A thing that is not as specified.
pub(super) fn wrong(code: &str, message: String) -> Trouble {
    Trouble { class: ErrorClass::Invalid, code: code.to_owned(), message }
}

/// What is wrong with an instance, its volumes aside.
pub(super) fn instance_trouble(deployment: &str, spec: &MachineSpec, instance: &Instance) -> Option<Trouble> {
    let id = instance.instance_id().unwrap_or_default();
    let zone = instance.placement().and_then(|placement| placement.availability_zone()).unwrap_or_default();
    if zone != spec.placement.zone().name() {
        return Some(wrong("WrongZone", format!("machine {id} is in `{zone}`, not {}", spec.placement.zone().name())));
    }
    let arch = instance.architecture().map_or("", |arch| arch.as_str());
    if arch != spec.machine.arch().as_str() {
        let message = format!(
            "machine {id} is `{arch}`, not {}: see aws.regions.{}.images.{0}",
            spec.machine.arch(),
            spec.placement.region().name(),
        );
        return Some(wrong("WrongArchitecture", message));
    }
    let kind = instance.instance_type().map_or("", |kind| kind.as_str());
    if kind != spec.machine.name() {
        return Some(wrong("WrongType", format!("machine {id} is a {kind}, not {}", spec.machine.name())));
    }
    let metadata = instance.metadata_options();
    let tokens = metadata.and_then(|options| options.http_tokens());
    let hops = metadata.and_then(|options| options.http_put_response_hop_limit());
    if tokens != Some(&HttpTokensState::Required) || hops.is_some_and(|hops| hops > 1) {
        return Some(wrong("MetadataOpen", format!("machine {id} does not insist on IMDSv2 with a hop limit of 1")));
    }
    let differing = tags::differing(instance.tags(), &tags::of_machine(deployment, spec))?;
    Some(wrong("WrongTags", format!("machine {id} has another tag {differing} than it was given")))
}

/// What is wrong with a cache volume.
pub(super) fn volume_trouble(deployment: &str, spec: &VolumeSpec, volume: &Volume) -> Option<Trouble> {
    let id = volume.volume_id().unwrap_or_default();
    if let Some(trouble) = Disk::read(volume).trouble("cache volume", id, &spec.key, spec.placement.zone().name()) {
        return Some(trouble);
    }
    let kind = volume.volume_type().map_or("", |kind| kind.as_str());
    if kind != "gp3" {
        return Some(wrong("WrongSsd", format!("cache volume {id} is {kind}, not gp3")));
    }
    let differing = tags::differing(volume.tags(), &tags::of_cache(deployment, spec))?;
    Some(wrong("WrongTags", format!("cache volume {id} has another tag {differing} than it was given")))
}
