//! What is the matter with a thing that no record names: a pure function of the thing, of the owner that its tags name, and of
//! the record that its id leads to, wherever that is.

use std::collections::{BTreeMap, HashSet};

use providers::{Kind, Listed, Power, RemoteId, ResourceId};
use regions::Region;

use super::index::Index;
use crate::core::{Finding, OrgId, Repair, Verdict};
use crate::store::{KnownOwner, Work};

/// The circumstances.
pub(super) struct Ground<'a> {
    pub(super) region: Region,
    pub(super) index: &'a Index,
    /// Owners by the names that tags give them.
    pub(super) owners: &'a BTreeMap<(String, Option<String>), KnownOwner>,
    /// Records, of any region, whose ids are on things.
    pub(super) records: &'a BTreeMap<ResourceId, (Kind, Region, Option<RemoteId>)>,
    /// The region's keys that have a name, by their organizations.
    pub(super) keys: &'a BTreeMap<OrgId, Vec<&'a RemoteId>>,
    /// Caches that a record names.
    pub(super) caches: &'a HashSet<&'a RemoteId>,
    pub(super) work: &'a Work,
}

/// The name by which an owner is looked up.
pub(super) fn owner_name(thing: &Listed) -> Option<(String, Option<String>)> {
    thing.owner.as_ref().map(|owner| (owner.org.clone(), owner.project.clone()))
}

impl Ground<'_> {
    /// What is the matter; nothing if it goes anyway, or a job may be at it.
    pub(super) fn judge(&self, thing: &Listed) -> Option<Finding> {
        let name = owner_name(thing);
        let owner = name.as_ref().and_then(|name| self.owners.get(name));
        let org_only = name.as_ref().and_then(|(org, _)| self.owners.get(&(org.clone(), None)));
        let org = owner.or(org_only).map(|owner| owner.org);
        let project = owner.and_then(|owner| owner.project);
        let told =
            |verdict, why: String, repair| Some(self.finding(thing, org, project.map(|it| it.0), verdict, why, repair));
        if let Some((verdict, why)) = self.security(thing, owner, org) {
            let runs = thing.kind == Kind::Machine && thing.found.power == Some(Power::Running);
            return told(verdict, why, if runs { Repair::Halt } else { Repair::Quarantine });
        }
        let builder = project.map(|it| it.0).zip(thing.arch);
        if thing.is_leaving || org.is_some_and(|org| self.work.is_at(org, builder)) {
            return None;
        }
        if thing.kind == Kind::Key {
            return self.key(thing, told);
        }
        let keep = if thing.kind == Kind::Machine && org.is_some() { Repair::Collect } else { Repair::Quarantine };
        if let Some(cache) = thing.found.cache.as_ref().filter(|cache| self.caches.contains(cache)) {
            let why = format!("no record names this machine, and it holds the cache {cache} of one that has a record");
            let remedy = format!(
                "look at {} in the cloud's console: detach the cache before the machine goes",
                thing.found.remote
            );
            return told(Verdict::Orphan, why, Repair::Person { remedy });
        }
        match thing.id.and_then(|id| self.records.get(&id)) {
            Some((kind, region, remote)) if *kind == thing.kind => {
                let name = remote.as_ref().map_or_else(|| "nothing yet".to_owned(), ToString::to_string);
                let why = format!("it carries the id of a record in {region}, which names {name}");
                told(Verdict::Duplicate, why, keep)
            }
            Some(_) | None => {
                let whose = match (&name, org, project) {
                    (None, _, _) => "its tags name no owner".to_owned(),
                    (Some((org, _)), None, _) => format!("its tags name the organization {org}, which is not there"),
                    (Some((org, Some(project))), Some(_), None) => {
                        format!("its tags name the project {org}/{project}, which is not there")
                    }
                    (Some(_), Some(_), _) => "its owner has no record of it".to_owned(),
                };
                told(Verdict::Orphan, format!("no record names it, and {whose}"), keep)
            }
        }
    }

    fn security(&self, thing: &Listed, owner: Option<&KnownOwner>, org: Option<OrgId>) -> Option<(Verdict, String)> {
        if let Some((_, cloud, residency)) = owner.and_then(|owner| owner.project)
            && (cloud != self.region.cloud() || self.region.inside(residency).is_err())
        {
            let why = format!(
                "no record names it, and it stands in {}, outside its project's residency {residency}",
                self.region
            );
            return Some((Verdict::Misplaced, why));
        }
        if !matches!(thing.kind, Kind::Volume | Kind::Snapshot) {
            return None;
        }
        let Some(key) = &thing.key else {
            return Some((
                Verdict::Unencrypted,
                "no record names it, and it is not encrypted with a customer's key".to_owned(),
            ));
        };
        let known = org.and_then(|org| self.keys.get(&org));
        if known.is_some_and(|known| !known.contains(&key)) {
            return Some((
                Verdict::WrongKey,
                format!("no record names it, and it is encrypted with {key}, which is not its organization's key"),
            ));
        }
        None
    }

    fn key(&self, thing: &Listed, told: impl Fn(Verdict, String, Repair) -> Option<Finding>) -> Option<Finding> {
        let uses = self.index.uses_of(&thing.found.remote);
        if uses > 0 {
            let why = format!("no record names this key, and {uses} volumes or snapshots here are under it");
            let remedy = "find out whose they are before anything happens to the key".to_owned();
            return told(Verdict::StrayKey, why, Repair::Person { remedy });
        }
        let why = "no record names this key: its making was never finished, or it was made by hand".to_owned();
        told(Verdict::StrayKey, why, Repair::Quarantine)
    }

    fn finding(
        &self,
        thing: &Listed,
        org: Option<OrgId>,
        project: Option<crate::core::ProjectId>,
        verdict: Verdict,
        why: String,
        repair: Repair,
    ) -> Finding {
        let owner = thing.owner.as_ref();
        Finding {
            id: ResourceId::of_stray(self.region, thing.kind, &thing.found.remote),
            verdict,
            region: self.region,
            zone: thing.zone.clone(),
            kind: thing.kind,
            remote: Some(thing.found.remote.clone()),
            resource: thing.id,
            recorded: false,
            org,
            org_name: owner.map_or_else(|| "-".to_owned(), |owner| owner.org.clone()),
            project,
            project_name: owner.and_then(|owner| owner.project.clone()),
            arch: thing.arch,
            why,
            created_ms: thing.created_ms,
            shape: thing.shape.clone(),
            size_gib: thing.size_gib,
            marked_until_ms: thing.found.quarantined_until_ms,
            repair,
        }
    }
}
