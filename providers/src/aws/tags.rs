//! The tags that everything of ours carries, and how they are read back.
//!
//! `RunInstances` puts one set of volume tags on every volume that it makes, the root volume included. So a volume is
//! never told apart by its tags alone: `provisioner:cache` names the cache volume that is born with the machine, and
//! the root volume, which carries it too, is known by its snapshot, its device or its deletion on termination (see
//! [`super::volume`]). A machine that is given an existing cache puts no `provisioner:cache` on its root volume.

use regions::Arch;
use uuid::Uuid;

use crate::{MachineSpec, Owner, ResourceId};

/// The deployment; what lacks it is not ours.
pub(super) const DEPLOYMENT: &str = "provisioner:deployment";
/// The organization.
pub(super) const ORGANIZATION: &str = "provisioner:organization";
/// The project; not on keys.
pub(super) const PROJECT: &str = "provisioner:project";
/// The architecture; not on keys.
pub(super) const ARCH: &str = "provisioner:arch";
/// On an instance and on a key: our id of it.
pub(super) const RESOURCE: &str = "provisioner:resource";
/// On a volume: our id of the machine with which it was made.
pub(super) const MACHINE: &str = "provisioner:machine";
/// On a volume: our id of the cache volume. On an instance: the same, of its cache.
pub(super) const CACHE: &str = "provisioner:cache";

/// On something that no record explains: until when it is kept, as RFC 3339.
pub(super) const QUARANTINE: &str = "provisioner:quarantine";

/// On an instance: the grant whose way onto it is open.
pub(super) const GRANT: &str = "provisioner:grant";
/// On an instance: the ARN of whom that grant lets in.
pub(super) const ACCESS: &str = "provisioner:access";

/// A name and a value.
pub(super) type Pair = (&'static str, String);

fn owner(deployment: &str, owner: &Owner) -> Vec<Pair> {
    let mut tags = vec![(DEPLOYMENT, deployment.to_owned()), (ORGANIZATION, owner.org.clone())];
    tags.extend(owner.project.clone().map(|project| (PROJECT, project)));
    tags
}

fn full_name(name: &Owner) -> String {
    name.project.as_ref().map_or_else(|| name.org.clone(), |project| format!("{}/{project}", name.org))
}

/// Of an organization's key.
pub(super) fn of_key(deployment: &str, spec: &crate::KeySpec) -> Vec<Pair> {
    let mut tags = owner(deployment, &spec.owner);
    tags.push((RESOURCE, spec.id.to_string()));
    tags
}

/// Of an instance.
pub(super) fn of_machine(deployment: &str, spec: &MachineSpec) -> Vec<Pair> {
    let arch = spec.machine.arch();
    let mut tags = owner(deployment, &spec.owner);
    tags.push((ARCH, arch.to_string()));
    tags.push((RESOURCE, spec.id.to_string()));
    tags.push(("Name", format!("builder {} {arch}", full_name(&spec.owner))));
    tags
}

/// Of all volumes that are made with an instance; `cache` is the one that is born.
pub(super) fn of_volumes(deployment: &str, spec: &MachineSpec, cache: Option<ResourceId>) -> Vec<Pair> {
    let arch = spec.machine.arch();
    let mut tags = owner(deployment, &spec.owner);
    tags.push((ARCH, arch.to_string()));
    tags.push((MACHINE, spec.id.to_string()));
    tags.extend(cache.map(|id| (CACHE, id.to_string())));
    tags.push(("Name", format!("builder {} {arch}", full_name(&spec.owner))));
    tags
}

/// What a cache volume must carry, whichever machine it was born with.
pub(super) fn of_cache(deployment: &str, spec: &crate::VolumeSpec) -> Vec<Pair> {
    let mut tags = owner(deployment, &spec.owner);
    tags.push((ARCH, spec.arch.to_string()));
    tags.push((CACHE, spec.id.to_string()));
    tags
}

/// The value of that tag.
pub(super) fn get<'a>(tags: &'a [aws_sdk_ec2::types::Tag], name: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.key() == Some(name)).and_then(aws_sdk_ec2::types::Tag::value)
}

/// The same for a key's tags.
pub(super) fn get_of_key<'a>(tags: &'a [aws_sdk_kms::types::Tag], name: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.tag_key() == name).map(aws_sdk_kms::types::Tag::tag_value)
}

/// Our id in a tag's value.
pub(super) fn id(value: Option<&str>) -> Option<ResourceId> {
    value.and_then(|text| Uuid::parse_str(text).ok()).map(ResourceId::from_uuid)
}

/// The architecture in a tag's value.
pub(super) fn arch(value: Option<&str>) -> Option<Arch> {
    value.and_then(|text| text.parse().ok())
}

/// The owner that an instance's or a volume's tags name.
pub(super) fn owner_of(tags: &[aws_sdk_ec2::types::Tag]) -> Option<Owner> {
    let org = get(tags, ORGANIZATION)?.to_owned();
    Some(Owner { org, project: get(tags, PROJECT).map(ToOwned::to_owned) })
}

/// The mark of a quarantine that ends then.
pub(super) fn of_quarantine(until_ms: i64) -> Option<Pair> {
    let until = jiff::Timestamp::from_millisecond(until_ms).ok()?;
    Some((QUARANTINE, until.to_string()))
}

/// The end of the quarantine that a mark's value names.
pub(super) fn quarantined_until(value: Option<&str>) -> Option<i64> {
    value?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// The first of our tags that is missing or has another value.
pub(super) fn differing(tags: &[aws_sdk_ec2::types::Tag], wanted: &[Pair]) -> Option<&'static str> {
    let differs = |(name, value): &&Pair| *name != "Name" && get(tags, name) != Some(value.as_str());
    wanted.iter().find(differs).map(|(name, _)| *name)
}
