//! The labels that everything of ours carries, and how they are read back.
//!
//! Google's rules ("Organize resources using labels", requirements): keys and values of lower-case letters, digits, - and _, 63
//! at most. Our names and ids keep to them as they are; what does not is refused before any call.

use std::collections::HashMap;

use regions::Arch;
use uuid::Uuid;

use crate::{KeySpec, MachineSpec, Owner, ResourceId, VolumeSpec};

/// The deployment; what lacks it is not ours.
pub(super) const DEPLOYMENT: &str = "provisioner-deployment";
/// The organization.
pub(super) const ORGANIZATION: &str = "provisioner-organization";
/// The project; not on keys.
pub(super) const PROJECT: &str = "provisioner-project";
/// The architecture; not on keys.
pub(super) const ARCH: &str = "provisioner-arch";
/// On an instance and on a key: our id of it.
pub(super) const RESOURCE: &str = "provisioner-resource";
/// On a root disk: our id of its machine.
pub(super) const MACHINE: &str = "provisioner-machine";
/// On a cache disk: our id of it. On an instance: the same, of its cache.
pub(super) const CACHE: &str = "provisioner-cache";
/// On a key whose versions are to be destroyed.
pub(super) const LEAVING: &str = "provisioner-leaving";

/// On something that no record explains: until when it is kept, in seconds since 1970 (a label takes no colons).
pub(super) const QUARANTINE: &str = "provisioner-quarantine";

/// Labels as the API has them.
pub(super) type Labels = HashMap<String, String>;

fn owner(deployment: &str, owner: &Owner) -> Labels {
    let mut labels = Labels::new();
    labels.insert(DEPLOYMENT.to_owned(), deployment.to_owned());
    labels.insert(ORGANIZATION.to_owned(), owner.org.clone());
    labels.extend(owner.project.clone().map(|project| (PROJECT.to_owned(), project)));
    labels
}

fn with(mut labels: Labels, more: impl IntoIterator<Item = (&'static str, String)>) -> Labels {
    labels.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
    labels
}

/// Of an organization's key.
pub(super) fn of_key(deployment: &str, spec: &KeySpec) -> Labels {
    with(owner(deployment, &spec.owner), [(RESOURCE, spec.id.to_string())])
}

/// Of an instance.
pub(super) fn of_machine(deployment: &str, spec: &MachineSpec) -> Labels {
    let cache = match &spec.cache {
        crate::CacheSource::Born(volume) => volume.id,
        crate::CacheSource::Existing { id, .. } => *id,
    };
    let more = [(ARCH, spec.machine.arch().to_string()), (RESOURCE, spec.id.to_string()), (CACHE, cache.to_string())];
    with(owner(deployment, &spec.owner), more)
}

/// Of the root disk of a machine.
pub(super) fn of_root(deployment: &str, spec: &MachineSpec) -> Labels {
    let more = [(ARCH, spec.machine.arch().to_string()), (MACHINE, spec.id.to_string())];
    with(owner(deployment, &spec.owner), more)
}

/// Of a cache disk.
pub(super) fn of_cache(deployment: &str, spec: &VolumeSpec) -> Labels {
    with(owner(deployment, &spec.owner), [(ARCH, spec.arch.to_string()), (CACHE, spec.id.to_string())])
}

/// The mark of a quarantine that ends then.
pub(super) fn of_quarantine(until_ms: i64) -> Labels {
    [(QUARANTINE.to_owned(), (until_ms / 1_000).to_string())].into()
}

/// The end of the quarantine that the labels name.
pub(super) fn quarantined_until(labels: &Labels) -> Option<i64> {
    labels.get(QUARANTINE)?.parse::<i64>().ok()?.checked_mul(1_000)
}

/// Our id in a label's value.
pub(super) fn id(labels: &Labels, key: &str) -> Option<ResourceId> {
    labels.get(key).and_then(|text| Uuid::parse_str(text).ok()).map(ResourceId::from_uuid)
}

/// The architecture that the labels name.
pub(super) fn arch(labels: &Labels) -> Option<Arch> {
    labels.get(ARCH).and_then(|text| text.parse().ok())
}

/// The owner that the labels name.
pub(super) fn owner_of(labels: &Labels) -> Option<Owner> {
    let org = labels.get(ORGANIZATION)?.clone();
    Some(Owner { org, project: labels.get(PROJECT).cloned() })
}

/// The first of our labels that is missing or has another value.
pub(super) fn differing(labels: &Labels, wanted: &Labels) -> Option<String> {
    let mut keys: Vec<&String> = wanted.keys().filter(|key| labels.get(*key) != wanted.get(*key)).collect();
    keys.sort_unstable();
    keys.first().map(|key| (*key).clone())
}

/// Whether it can be the value of a label.
pub(super) fn fits(value: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    value.len() <= 63 && value.chars().all(allowed)
}
