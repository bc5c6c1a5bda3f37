//! What was read back, held against what was asked for: encryption, key, zone, architecture, labels, and what shields a
//! machine. Never assumed.

use google_cloud_compute_v1::model::{CustomerEncryptionKey, Disk, Instance};

use super::machine::METADATA;
use super::{labels, names};
use crate::{ErrorClass, MachineSpec, RemoteId, Trouble, VolumeSpec};

/// A thing that is not as specified.
pub(super) fn wrong(code: &str, message: String) -> Trouble {
    Trouble { class: ErrorClass::Invalid, code: code.to_owned(), message }
}

/// The key under which a disk is encrypted. The API names the version: `.../cryptoKeyVersions/1`.
pub(super) fn key_of(encryption: Option<&CustomerEncryptionKey>) -> Option<RemoteId> {
    let version = encryption?.kms_key_name.as_deref()?;
    Some(RemoteId::from(version.split("/cryptoKeyVersions/").next().unwrap_or(version)))
}

/// What is wrong with a disk as such, `part` being its name for people.
pub(super) fn disk_trouble(part: &str, disk: &Disk, key: &RemoteId, zone: &str) -> Option<Trouble> {
    let part = format!("{part} {}", disk.name.as_deref().unwrap_or_default());
    let place = names::last(disk.zone.as_deref().unwrap_or_default());
    encryption_trouble(&part, key_of(disk.disk_encryption_key.as_ref()).as_ref(), place, key, zone)
}

/// The same, from the key under which it is and the place where it stands.
pub(super) fn encryption_trouble(
    part: &str,
    found: Option<&RemoteId>,
    place: &str,
    key: &RemoteId,
    zone: &str,
) -> Option<Trouble> {
    match found {
        None => Some(wrong("NotEncrypted", format!("{part} is not encrypted with the organization's key {key}"))),
        Some(found) if found != key => {
            Some(wrong("WrongKey", format!("{part} is encrypted with {found}, not with the organization's key {key}")))
        }
        Some(_) => (place != zone).then(|| wrong("WrongZone", format!("{part} is in `{place}`, not {zone}"))),
    }
}

/// What is wrong with a cache disk.
pub(super) fn volume_trouble(deployment: &str, spec: &VolumeSpec, disk: &Disk) -> Option<Trouble> {
    if let Some(trouble) = disk_trouble("cache disk", disk, &spec.key, spec.placement.zone().name()) {
        return Some(trouble);
    }
    let id = disk.name.as_deref().unwrap_or_default();
    let kind = names::last(disk.r#type.as_deref().unwrap_or_default());
    if kind != crate::ssd_name(spec.shape.ssd) {
        return Some(wrong("WrongSsd", format!("cache disk {id} is {kind}, not {}", crate::ssd_name(spec.shape.ssd))));
    }
    let differing = labels::differing(&disk.labels, &labels::of_cache(deployment, spec))?;
    Some(wrong(crate::WRONG_TAGS, format!("cache disk {id} has another label {differing} than it was given")))
}

/// What is wrong with an instance, its disks aside.
pub(super) fn instance_trouble(
    deployment: &str,
    external_ip: bool,
    spec: &MachineSpec,
    instance: &Instance,
) -> Option<Trouble> {
    let id = instance.name.as_deref().unwrap_or_default();
    let zone = names::last(instance.zone.as_deref().unwrap_or_default());
    if zone != spec.placement.zone().name() {
        return Some(wrong("WrongZone", format!("machine {id} is in `{zone}`, not {}", spec.placement.zone().name())));
    }
    let kind = names::last(instance.machine_type.as_deref().unwrap_or_default());
    if kind != spec.machine.name() {
        return Some(wrong("WrongType", format!("machine {id} is a {kind}, not {}", spec.machine.name())));
    }
    let shielded = instance.shielded_instance_config.as_ref().is_some_and(|config| {
        let parts = [config.enable_secure_boot, config.enable_vtpm, config.enable_integrity_monitoring];
        parts.iter().all(|part| *part == Some(true))
    });
    if !shielded {
        let message = format!("machine {id} is not a Shielded VM with secure boot, vTPM and integrity monitoring");
        return Some(wrong("NotShielded", message));
    }
    let is_outside = instance
        .network_interfaces
        .iter()
        .any(|interface| !interface.access_configs.is_empty() || !interface.ipv_6_access_configs.is_empty());
    if is_outside && !external_ip {
        return Some(wrong(
            "ExternalIp",
            format!("machine {id} has an external address, which gcp.external_ip forbids"),
        ));
    }
    let items = instance.metadata.as_ref().map(|metadata| metadata.items.as_slice()).unwrap_or_default();
    let is_told = |(key, value): &(&str, &str)| {
        items.iter().any(|item| item.key.as_deref() == Some(key) && item.value.as_deref() == Some(value))
    };
    if let Some((key, _)) = METADATA.iter().find(|item| !is_told(item)) {
        return Some(wrong(
            "MetadataOpen",
            format!("machine {id} does not have {key} in its metadata as it was given"),
        ));
    }
    let differing = labels::differing(&instance.labels, &labels::of_machine(deployment, spec))?;
    Some(wrong(crate::WRONG_TAGS, format!("machine {id} has another label {differing} than it was given")))
}
