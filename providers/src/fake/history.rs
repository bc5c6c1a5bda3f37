//! What has ever been made, and what should never have happened. Nothing is forgotten here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use regions::{Arch, Residency};
use serde::Serialize;

use super::state::State;
use crate::{CacheSource, Kind, MachineSpec, Owner, RemoteId, ResourceId};

/// A project and an architecture: what may have one cache volume and one live builder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Tenant {
    /// The organization.
    pub org: String,
    /// The project.
    pub project: String,
    /// The architecture.
    pub arch: Arch,
}

impl Tenant {
    pub(super) fn of(owner: &Owner, arch: Arch) -> Self {
        Self { org: owner.org.clone(), project: owner.project.clone().unwrap_or_default(), arch }
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} {}", self.org, self.project, self.arch)
    }
}

/// The rules that the fake watches over, and does not enforce: no real cloud would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A key encrypts nothing of another organization.
    OwnKey,
    /// A project has one live machine for an architecture.
    OneMachine,
    /// A project has one volume for an architecture.
    OneVolume,
    /// A volume is attached to machines of its own project and architecture only.
    OwnVolume,
    /// A zone lies inside the residency of what it holds.
    Residency,
    /// A project never changes its residency.
    SameResidency,
    /// Nobody takes away what is another's.
    OwnRemoval,
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// When.
    pub at_ms: i64,
    /// Which rule.
    pub rule: Rule,
    /// By what.
    pub message: String,
}

/// All that was ever made by way of a provider. What tests have planted is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ever {
    /// How many things were made for each id of ours.
    pub by_resource: BTreeMap<(Kind, ResourceId), u32>,
    /// How many machines and volumes were made for each project and architecture.
    pub by_tenant: BTreeMap<(Kind, Tenant), u32>,
    /// How many keys were made for each organization.
    pub keys_by_org: BTreeMap<String, u32>,
    /// The most machines, and volumes, that were ever there at one moment for a project and architecture. What is on
    /// its way out does not count.
    pub max_live: BTreeMap<(Kind, Tenant), u32>,
}

impl Ever {
    /// How many of that kind were ever made.
    #[must_use]
    pub fn made(&self, kind: Kind) -> u32 {
        self.by_resource.iter().filter(|((other, _), _)| *other == kind).map(|(_, count)| count).sum()
    }

    /// The most of that kind that any project and architecture ever had at one moment.
    #[must_use]
    pub fn most_live(&self, kind: Kind) -> u32 {
        self.max_live.iter().filter(|((other, _), _)| *other == kind).map(|(_, count)| *count).max().unwrap_or(0)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) ever: Ever,
    pub(super) violations: Vec<Violation>,
    /// The machine with which each volume was born.
    pub(super) born_with: BTreeMap<RemoteId, RemoteId>,
    live: BTreeMap<(Kind, Tenant), BTreeSet<RemoteId>>,
    places: BTreeMap<RemoteId, (Kind, Tenant)>,
    residencies: BTreeMap<(String, String), Residency>,
}

impl History {
    /// A machine or volume is no longer live.
    pub(super) fn leave(&mut self, remote: &RemoteId) {
        if let Some(place) = self.places.get(remote)
            && let Some(live) = self.live.get_mut(place)
        {
            live.remove(remote);
        }
    }

    fn enter(&mut self, kind: Kind, id: ResourceId, tenant: &Tenant, remote: &RemoteId) -> BTreeSet<RemoteId> {
        let place = (kind, tenant.clone());
        *self.ever.by_resource.entry((kind, id)).or_default() += 1;
        *self.ever.by_tenant.entry(place.clone()).or_default() += 1;
        self.places.insert(remote.clone(), place.clone());
        let live = self.live.entry(place.clone()).or_default();
        live.insert(remote.clone());
        let count = u32::try_from(live.len()).unwrap_or(u32::MAX);
        let most = self.ever.max_live.entry(place).or_default();
        *most = (*most).max(count);
        live.clone()
    }
}

impl State {
    pub(super) fn violate(&mut self, rule: Rule, message: String) {
        let at_ms = self.now_ms;
        self.history.violations.push(Violation { at_ms, rule, message });
    }

    /// Notes that a key was made.
    pub(super) fn note_key(&mut self, id: ResourceId, org: &str) {
        *self.history.ever.by_resource.entry((Kind::Key, id)).or_default() += 1;
        *self.history.ever.keys_by_org.entry(org.to_owned()).or_default() += 1;
    }

    /// Notes that a machine was made, and checks it against all rules.
    pub(super) fn note_machine(&mut self, spec: &MachineSpec, machine: &RemoteId) {
        let tenant = Tenant::of(&spec.owner, spec.machine.arch());
        let live = self.history.enter(Kind::Machine, spec.id, &tenant, machine);
        if live.len() > 1 {
            self.violate(Rule::OneMachine, format!("{tenant} has {}: {}", live.len(), names(&live)));
        }
        self.check_key(&spec.key, &spec.owner, machine);
        self.check_residency(spec, machine);
        match &spec.cache {
            CacheSource::Born(cache) => {
                let Some(volume) = self.volume_of(machine).map(|(remote, _)| remote.clone()) else { return };
                self.history.born_with.insert(volume.clone(), machine.clone());
                let place = Tenant::of(&cache.owner, cache.arch);
                let live = self.history.enter(Kind::Volume, cache.id, &place, &volume);
                if live.len() > 1 {
                    self.violate(Rule::OneVolume, format!("{place} has {}: {}", live.len(), names(&live)));
                }
                self.check_key(&cache.key, &cache.owner, &volume);
                self.check_tie(&volume, machine);
            }
            // Where it is attached later, the attachment is checked.
            CacheSource::Existing { remote, .. } if self.volume_of(machine).is_some() => {
                self.check_tie(remote, machine);
            }
            CacheSource::Existing { .. } => {}
        }
    }

    fn check_key(&mut self, key: &RemoteId, owner: &Owner, what: &RemoteId) {
        let of = self.keys.get(key).map(|key| key.org.clone());
        if let Some(of) = of.filter(|of| *of != owner.org) {
            self.violate(Rule::OwnKey, format!("{what} of {} is encrypted with {key} of {of}", owner.org));
        }
    }

    fn check_residency(&mut self, spec: &MachineSpec, machine: &RemoteId) {
        let (zone, residency) = (spec.placement.zone(), spec.placement.residency());
        if zone.region().residency() != residency {
            self.violate(Rule::Residency, format!("{machine} is in {zone}, outside {residency}"));
        }
        let project = (spec.owner.org.clone(), spec.owner.project.clone().unwrap_or_default());
        let first = *self.history.residencies.entry(project).or_insert(residency);
        if first != residency {
            let (org, project) = (&spec.owner.org, spec.owner.project.as_deref().unwrap_or_default());
            let message = format!("{machine} of {org}/{project} is in {residency}, the first was in {first}");
            self.violate(Rule::SameResidency, message);
        }
    }

    /// A volume is tied to a machine: both must be of one project and architecture.
    pub(super) fn check_tie(&mut self, volume: &RemoteId, machine: &RemoteId) {
        let (Some(disk), Some(holder)) = (self.volumes.get(volume), self.machines.get(machine)) else { return };
        let (of, to) = (Tenant::of(&disk.owner, disk.arch), Tenant::of(&holder.spec.owner, holder.spec.machine.arch()));
        if of != to {
            self.violate(Rule::OwnVolume, format!("{volume} of {of} is attached to {machine} of {to}"));
        }
    }

    /// Somebody takes away or switches something in the name of `asker`.
    pub(super) fn check_removal(&mut self, remote: &RemoteId, owner: &Owner, asker: &Owner) {
        if owner != asker {
            let name = |owner: &Owner| format!("{}/{}", owner.org, owner.project.as_deref().unwrap_or("-"));
            self.violate(Rule::OwnRemoval, format!("{remote} of {} was taken by {}", name(owner), name(asker)));
        }
    }
}

fn names(remotes: &BTreeSet<RemoteId>) -> String {
    remotes.iter().map(RemoteId::as_str).collect::<Vec<_>>().join(", ")
}
