//! The proof at the end: what the modelled cloud has is compared with the database, thing by thing and both ways.

use std::collections::{BTreeMap, BTreeSet};

use providers::{
    Kind, RemoteId, ResourceId,
    fake::{FakeCloud, Snapshot},
};
use regions::{Region, Residency};
use serde::Serialize;

use crate::core::{Org, OrgId, Project, ResourceRow};

/// The outcome of the comparison.
#[derive(Debug, Default, Serialize)]
pub(super) struct Proof {
    /// Machines, volumes and keys in the cloud.
    pub(super) in_cloud: usize,
    /// Those in the database.
    pub(super) in_database: usize,
    /// Those in both, under the same id of ours and the same name of the cloud's.
    pub(super) matched: usize,
    /// Machines and volumes that are encrypted with their own organization's key of their region.
    pub(super) encrypted: usize,
    /// Machines and volumes inside their project's residency.
    pub(super) in_residency: usize,
    /// Machines and volumes in all.
    pub(super) things: usize,
    /// What is wrong, a line each.
    pub(super) faults: Vec<String>,
}

/// What the database says.
pub(super) struct Books<'a> {
    pub(super) projects: &'a [(Org, Project)],
    pub(super) rows: &'a [ResourceRow],
}

/// A machine or a volume in the cloud, as far as the proof is concerned.
struct Thing<'a> {
    kind: Kind,
    id: Option<ResourceId>,
    remote: &'a RemoteId,
    org: &'a str,
    project: &'a str,
    region: Region,
    key: &'a RemoteId,
}

fn things(snapshot: &Snapshot) -> Vec<Thing<'_>> {
    let machines = snapshot.machines.iter().map(|machine| Thing {
        kind: Kind::Machine,
        id: machine.id,
        remote: &machine.remote,
        org: &machine.owner.org,
        project: machine.owner.project.as_deref().unwrap_or_default(),
        region: machine.zone.region(),
        key: &machine.key,
    });
    let volumes = snapshot.volumes.iter().map(|volume| Thing {
        kind: Kind::Volume,
        id: volume.id,
        remote: &volume.remote,
        org: &volume.owner.org,
        project: volume.owner.project.as_deref().unwrap_or_default(),
        region: volume.zone.region(),
        key: &volume.key,
    });
    machines.chain(volumes).collect()
}

/// Compares.
pub(super) fn compare(cloud: &FakeCloud, books: &Books<'_>) -> Proof {
    let snapshot = cloud.snapshot();
    let mut proof = Proof { in_database: books.rows.len(), ..Proof::default() };
    let things = things(&snapshot);
    let keys = snapshot.keys.iter().map(|key| (Kind::Key, key.id, &key.remote));
    let all: Vec<_> = things.iter().map(|thing| (thing.kind, thing.id, thing.remote)).chain(keys).collect();
    proof.in_cloud = all.len();
    proof.things = things.len();
    both_ways(&mut proof, &all, books.rows);
    for thing in &things {
        encryption(&mut proof, thing, &snapshot);
        residency(&mut proof, thing, books.projects);
    }
    own_keys(&mut proof, books);
    proof.faults.extend(cloud.violations().iter().map(|violation| violation.message.clone()));
    proof
}

fn both_ways(proof: &mut Proof, all: &[(Kind, Option<ResourceId>, &RemoteId)], rows: &[ResourceRow]) {
    let known: BTreeMap<ResourceId, &ResourceRow> = rows.iter().map(|row| (row.id, row)).collect();
    let mut seen = BTreeSet::new();
    for (kind, id, remote) in all {
        let row = id.and_then(|id| known.get(&id));
        match row {
            Some(row) if row.remote.as_ref() == Some(remote) && row.kind == *kind => {
                if seen.insert(row.id) {
                    proof.matched += 1;
                } else {
                    proof.faults.push(format!("{kind} {remote} is there twice"));
                }
            }
            Some(row) => proof.faults.push(format!("{kind} {remote} is another than row {} knows", row.id)),
            None => proof.faults.push(format!("{kind} {remote} is in the cloud and not in the database")),
        }
    }
    for row in rows.iter().filter(|row| !seen.contains(&row.id)) {
        proof.faults.push(format!("{} {} is in the database and not in the cloud", row.kind, row.id));
    }
}

fn encryption(proof: &mut Proof, thing: &Thing<'_>, snapshot: &Snapshot) {
    let key = snapshot.keys.iter().find(|key| &key.remote == thing.key);
    if key.is_some_and(|key| key.org == thing.org && key.region == thing.region) {
        proof.encrypted += 1;
    } else {
        proof.faults.push(format!("{} {} is not encrypted with {}'s own key", thing.kind, thing.remote, thing.org));
    }
}

fn residency(proof: &mut Proof, thing: &Thing<'_>, projects: &[(Org, Project)]) {
    let owner =
        projects.iter().find(|(org, project)| org.name.as_str() == thing.org && project.name.as_str() == thing.project);
    let home: Option<Residency> = owner.map(|(_, project)| project.residency);
    if home == Some(thing.region.residency()) {
        proof.in_residency += 1;
    } else {
        proof.faults.push(format!("{} {} in {} is outside its residency", thing.kind, thing.remote, thing.region));
    }
}

/// One key for each organization and region, and none shared.
fn own_keys(proof: &mut Proof, books: &Books<'_>) {
    let mut of: BTreeMap<(OrgId, Region), usize> = BTreeMap::new();
    for row in books.rows.iter().filter(|row| row.kind == Kind::Key) {
        *of.entry((row.org, row.region)).or_default() += 1;
    }
    for ((org, region), count) in of.into_iter().filter(|(_, count)| *count > 1) {
        proof.faults.push(format!("organization {org} has {count} keys in {region}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_one_side_only_is_a_fault() {
        let id = ResourceId::from_uuid(uuid::Uuid::from_u128(7));
        let remote = RemoteId::from("i-1");
        let mut proof = Proof::default();
        both_ways(&mut proof, &[(Kind::Machine, Some(id), &remote), (Kind::Volume, None, &remote)], &[]);
        assert_eq!((proof.matched, proof.faults.len()), (0, 2), "{:?}", proof.faults);
    }
}
