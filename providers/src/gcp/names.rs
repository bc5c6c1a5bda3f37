//! The names of what is made: derived from our ids and the deployment, so that a replay collides instead of doubling.
//!
//! A name is a kind and a hash, 40 characters at most (Compute Engine, "Naming resources": RFC 1035, 63 at most). It never
//! has a tenant's name in it, which could be too long or changed; labels say whose the thing is. Remote ids are
//! Google's full resource names, which its tools take as they are.

use regions::Zone;
use uuid::Uuid;

use crate::{KeySpec, RemoteId, ResourceId};

/// The names of one deployment in one project.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) deployment: String,
    pub(super) project: String,
}

/// A thing in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collection {
    Instances,
    Disks,
}

impl Collection {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Instances => "instances",
            Self::Disks => "disks",
        }
    }
}

impl Names {
    fn named(&self, kind: &str, id: ResourceId) -> String {
        format!("{kind}-{}", Uuid::new_v5(&id.as_uuid(), self.deployment.as_bytes()).simple())
    }

    /// Of a machine.
    pub(super) fn machine(&self, id: ResourceId) -> String {
        self.named("builder", id)
    }

    /// Of the root disk of a machine.
    pub(super) fn root(&self, machine: ResourceId) -> String {
        self.named("root", machine)
    }

    /// Of a cache volume.
    pub(super) fn cache(&self, id: ResourceId) -> String {
        self.named("cache", id)
    }

    /// The full name of something in a zone.
    pub(super) fn remote(&self, zone: &str, collection: Collection, name: &str) -> RemoteId {
        RemoteId(format!("projects/{}/zones/{zone}/{}/{name}", self.project, collection.as_str()))
    }

    /// The full name of a snapshot.
    pub(super) fn snapshot(&self, name: &str) -> RemoteId {
        RemoteId(format!("projects/{}/global/snapshots/{name}", self.project))
    }

    /// The parent of the deployment's key ring there.
    pub(super) fn location(&self, region: &str) -> String {
        format!("projects/{}/locations/{region}", self.project)
    }

    /// The deployment's key ring in that region: the last part, and the whole.
    pub(super) fn key_ring(&self, region: &str) -> (String, String) {
        let name = format!("provisioner-{}", self.deployment);
        let full = format!("{}/keyRings/{name}", self.location(region));
        (name, full)
    }

    /// An organization's key: the last part, and the whole. Keys can't be deleted, so that an organization that is made again
    /// under an old name has another one: the hash is of the organization's id.
    pub(super) fn key(&self, spec: &KeySpec) -> (String, RemoteId) {
        let hash = spec.id.as_uuid().simple().to_string();
        let name = format!("{}-{}", spec.owner.org, &hash[..12]);
        let full = format!("{}/cryptoKeys/{name}", self.key_ring(spec.region.name()).1);
        (name, RemoteId(full))
    }
}

/// The name of a snapshot in its full name, if it is one of that project.
pub(super) fn snapshot<'a>(project: &str, remote: &'a RemoteId) -> Option<&'a str> {
    let name = remote.as_str().strip_prefix(&format!("projects/{project}/global/snapshots/"))?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// The part after the last slash.
pub(super) fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The zone and the name in a full name or a link: `.../zones/ZONE/COLLECTION/NAME`.
pub(super) fn zone_and_name(path: &str) -> Option<(&str, &str)> {
    let mut parts = path.rsplit('/');
    let name = parts.next()?;
    let _collection = parts.next()?;
    let zone = parts.next()?;
    (parts.next() == Some("zones")).then_some((zone, name))
}

/// The location in a key's full name.
pub(super) fn location_of(key: &RemoteId) -> Option<&str> {
    let parts: Vec<&str> = key.as_str().split('/').collect();
    match parts.as_slice() {
        ["projects", _, "locations", location, "keyRings", _, "cryptoKeys", _] => Some(location),
        _ => None,
    }
}

/// A partial URL below a zone, as requests take it.
pub(super) fn in_zone(zone: Zone, collection: &str, name: &str) -> String {
    format!("zones/{}/{collection}/{name}", zone.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_the_rules_and_tell_deployments_apart() {
        let names = |deployment: &str| Names { deployment: deployment.to_owned(), project: "acme-builds".to_owned() };
        let id = ResourceId::derive(Uuid::from_u128(7), "machine");
        let name = names("prod").machine(id);
        assert_ne!(name, names("staging").machine(id));
        assert_ne!(name, names("prod").root(id));
        assert!(name.len() <= 63 && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
        let remote = names("prod").remote("us-central1-a", Collection::Instances, &name);
        assert_eq!(zone_and_name(remote.as_str()), Some(("us-central1-a", name.as_str())));
        let link = format!("https://www.googleapis.com/compute/v1/{remote}");
        assert_eq!(zone_and_name(&link), Some(("us-central1-a", name.as_str())));
        assert_eq!(zone_and_name("nonsense"), None);
        let key = RemoteId("projects/p/locations/europe-west3/keyRings/r/cryptoKeys/k".to_owned());
        assert_eq!(location_of(&key), Some("europe-west3"));
        assert_eq!(location_of(&RemoteId("arn:aws:kms:eu-central-1:1:key/k".to_owned())), None);
    }
}
