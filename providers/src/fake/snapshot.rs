//! What exists now, and what was asked so far, for those who check the cloud from outside.

use std::collections::BTreeMap;

use regions::{Arch, MachineType, Region, SsdKind, Zone};
use serde::Serialize;

use super::FakeCloud;
use super::call::{CallInfo, Tally, Verb};
use super::config::FakeConfig;
use super::history::{Ever, Violation};
use super::state::{KeyState, MachineLife, VolumeLife};
use crate::{Kind, Owner, Power, RemoteId, ResourceId};

/// A key that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyView {
    /// The cloud's name for it.
    pub remote: RemoteId,
    /// Our id, by its tag.
    pub id: Option<ResourceId>,
    /// Whose it is.
    pub org: String,
    /// Where.
    pub region: Region,
    /// Whether it can be used.
    pub state: KeyState,
    /// Whether the organization's alias leads to it.
    pub has_alias: bool,
    /// Whether it is rotated.
    pub rotates: bool,
}

/// A volume that exists, on its way out or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VolumeView {
    /// The cloud's name for it.
    pub remote: RemoteId,
    /// Our id, by its tag.
    pub id: Option<ResourceId>,
    /// Whose it is.
    pub owner: Owner,
    /// The architecture.
    pub arch: Arch,
    /// Where.
    pub zone: Zone,
    /// The key that it is encrypted with.
    pub key: RemoteId,
    /// The kind of SSD.
    pub ssd: SsdKind,
    /// Capacity in GiB.
    pub size_gib: u32,
    /// The machine that it is tied to.
    pub attached_to: Option<RemoteId>,
    /// Whether it is being deleted.
    pub leaving: bool,
}

/// A machine that exists, on its way out or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MachineView {
    /// The cloud's name for it.
    pub remote: RemoteId,
    /// Our id, by its tag.
    pub id: Option<ResourceId>,
    /// Whose it is.
    pub owner: Owner,
    /// Where.
    pub zone: Zone,
    /// The machine type, and with it the architecture.
    pub machine: MachineType,
    /// The key of its root volume.
    pub key: RemoteId,
    /// Whether it is on; none while that changes.
    pub power: Option<Power>,
    /// Its cache volume.
    pub cache: Option<RemoteId>,
    /// Whether it is being terminated.
    pub leaving: bool,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
}

/// All that exists at one moment, hidden from observation or not, in the order of the cloud's names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// The keys, those included whose deletion is scheduled.
    pub keys: Vec<KeyView>,
    /// The volumes.
    pub volumes: Vec<VolumeView>,
    /// The machines.
    pub machines: Vec<MachineView>,
}

impl FakeCloud {
    /// All that exists now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let state = self.state();
        let keys = state.keys.iter().filter(|(_, key)| !key.gone).map(|(remote, key)| KeyView {
            remote: remote.clone(),
            id: key.tags.id,
            org: key.org.clone(),
            region: key.region,
            state: key.state,
            has_alias: state.aliases.values().any(|target| target == remote),
            rotates: key.rotates,
        });
        let volumes = state.volumes.iter().filter(|(_, volume)| volume.life != VolumeLife::Gone);
        let volumes = volumes.map(|(remote, volume)| VolumeView {
            remote: remote.clone(),
            id: volume.tags.id,
            owner: volume.owner.clone(),
            arch: volume.arch,
            zone: volume.placement.zone(),
            key: volume.key.clone(),
            ssd: volume.ssd,
            size_gib: volume.size_gib,
            attached_to: volume.holder().cloned(),
            leaving: volume.life == VolumeLife::Deleting,
        });
        let machines = state.machines.iter().filter(|(_, machine)| machine.life != MachineLife::Dead);
        let machines = machines.map(|(remote, machine)| MachineView {
            remote: remote.clone(),
            id: machine.tags.id,
            owner: machine.spec.owner.clone(),
            zone: machine.spec.placement.zone(),
            machine: machine.spec.machine,
            key: machine.key.clone(),
            power: state.found_machine(remote).power,
            cache: state.volume_of(remote).map(|(volume, _)| volume.clone()),
            leaving: machine.life == MachineLife::Terminating,
            created_ms: machine.created_ms,
        });
        Snapshot { keys: keys.collect(), volumes: volumes.collect(), machines: machines.collect() }
    }

    /// All that was ever made.
    #[must_use]
    pub fn ever(&self) -> Ever {
        self.state().history.ever.clone()
    }

    /// The rules that were broken, in order.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.state().history.violations.clone()
    }

    /// The configuration as it is now.
    #[must_use]
    pub fn config(&self) -> FakeConfig {
        self.state().config.clone()
    }

    /// The last requests, oldest first; [`FakeConfig::log_size`] of them at most.
    #[must_use]
    pub fn log(&self) -> Vec<CallInfo> {
        self.state().journal.log.iter().cloned().collect()
    }

    /// All requests so far.
    #[must_use]
    pub fn calls(&self) -> Tally {
        self.state().journal.total
    }

    /// The requests that concerned that resource. A look at many counts for each of them.
    #[must_use]
    pub fn calls_of(&self, id: ResourceId) -> Tally {
        self.state().journal.by_resource.get(&id).copied().unwrap_or_default()
    }

    /// Requests by the real cloud's name for them.
    #[must_use]
    pub fn calls_by_name(&self) -> BTreeMap<&'static str, u64> {
        self.state().journal.by_name.clone()
    }

    /// Requests by provider call and kind.
    #[must_use]
    pub fn calls_by_verb(&self) -> BTreeMap<(Verb, Kind), u64> {
        self.state().journal.by_verb.clone()
    }

    /// How many requests hang for ever because of a fault.
    #[must_use]
    pub fn hung(&self) -> u64 {
        self.state().journal.hung
    }

    /// When the next state changes by itself, if any does; a clock that is driven by hand can go there.
    #[must_use]
    pub fn due_ms(&self) -> Option<i64> {
        self.state().due_ms()
    }
}
