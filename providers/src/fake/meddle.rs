//! What a test does to the cloud: faults and hooks, room and rules, and things behind the product's back.
//!
//! Nothing here is a request: it is not counted, takes no time, and breaks no rule that is watched.

use std::sync::Arc;

use regions::{Placement, Region, Zone};

use super::FakeCloud;
use super::call::{CallInfo, Moment};
use super::config::{FakeConfig, Stock};
use super::fault::{Fault, FaultRates, When};
use super::state::{KeyState, MachineLife, Tags, TiePhase, VolumeLife};
use crate::{KeySpec, MachineSpec, RemoteId, VolumeSpec};

impl FakeCloud {
    /// Adds a fault to the script. Of several that match a request the first one added is met.
    pub fn inject(&self, when: When, fault: Fault) {
        self.faults().script.push((when, fault));
    }

    /// Lets a closure decide about every request that the script leaves alone.
    pub fn decide(&self, decide: impl Fn(&CallInfo) -> Option<Fault> + Send + Sync + 'static) {
        self.faults().decide = Some(Arc::new(decide));
    }

    /// Has that told of every request, before and after. It is called without a lock and may panic; a caller that it
    /// makes panic is a worker that crashed there.
    pub fn on_call(&self, on_call: impl Fn(&CallInfo, Moment) + Send + Sync + 'static) {
        self.faults().on_call = Some(Arc::new(on_call));
    }

    /// Ends all faults, the script's, the closure's and chance's, and the telling.
    pub fn calm(&self) {
        *self.faults() = super::fault::Faults::default();
        self.tune(|config| config.faults = FaultRates::default());
    }

    /// Changes the configuration from here on.
    pub fn tune(&self, change: impl FnOnce(&mut FakeConfig)) {
        change(&mut self.state().config);
    }

    /// Lets the zone have that many of the machine type (of every type where it is none); plenty where `count` is none.
    pub fn set_capacity(&self, zone: Zone, machine: Option<&str>, count: Option<u32>) {
        self.tune(|config| {
            config.capacity.retain(|stock| stock.zone != zone || stock.machine.as_deref() != machine);
            let machine = machine.map(ToOwned::to_owned);
            config.capacity.extend(count.map(|count| Stock { zone, machine, count }));
        });
    }

    /// Lets the next machines, that many, die of a lack of capacity after the cloud has said yes.
    pub fn fail_late(&self, machines: u32) {
        self.state().late_failures += machines;
    }

    /// Starts to count requests anew. Their numbers go on.
    pub fn clear_calls(&self) {
        self.state().journal.clear();
    }

    /// The key to which the organization's alias leads in that region.
    #[must_use]
    pub fn key_of(&self, region: Region, org: &str) -> Option<RemoteId> {
        self.state().named_key(region, org)
    }

    /// Changes whether a key can be used. Its alias stays. A scheduled deletion takes the configured time.
    pub fn set_key(&self, key: &RemoteId, to: KeyState) {
        let mut state = self.state();
        if let KeyState::PendingDeletion { .. } = to {
            state.doom_key(key);
        } else if let Some(key) = state.keys.get_mut(key) {
            key.state = to;
        }
    }

    /// Disables a key.
    pub fn disable_key(&self, key: &RemoteId) {
        self.set_key(key, KeyState::Disabled);
    }

    /// Schedules a key's deletion, as a person would: its alias still leads to it.
    pub fn schedule_key_deletion(&self, key: &RemoteId) {
        self.set_key(key, KeyState::PendingDeletion { until_ms: 0 });
    }

    /// Takes all tags off a thing.
    pub fn strip_tags(&self, remote: &RemoteId) {
        let mut state = self.state();
        if let Some(machine) = state.machines.get_mut(remote) {
            machine.tags = Tags::NONE;
        }
        if let Some(volume) = state.volumes.get_mut(remote) {
            volume.tags = Tags::NONE;
        }
        if let Some(key) = state.keys.get_mut(remote) {
            key.tags = Tags::NONE;
        }
    }

    /// The mark of a quarantine is taken off, as a person does who wants to keep the thing.
    pub fn unmark(&self, remote: &RemoteId) {
        if let Some(tags) = self.state().tags_of(remote) {
            tags.quarantined_until_ms = None;
        }
    }

    /// Terminates a machine.
    pub fn terminate(&self, machine: &RemoteId) {
        let _ = self.state().terminate(machine);
    }

    /// Turns a machine off, at once.
    pub fn stop(&self, machine: &RemoteId) {
        let mut state = self.state();
        if let Some(machine) = state.machines.get_mut(machine).filter(|machine| machine.is_live()) {
            machine.life = MachineLife::Stopped;
            machine.has_run = true;
            machine.turn = 0;
        }
    }

    /// Has a volume encrypted with another key: what no cloud can do, and a mistaken copy of a volume looks like.
    pub fn set_volume_key(&self, volume: &RemoteId, key: &RemoteId) {
        if let Some(volume) = self.state().volumes.get_mut(volume) {
            volume.key = key.clone();
        }
    }

    /// Has a volume be under no key: what a volume made by hand looks like.
    pub fn unencrypt_volume(&self, volume: &RemoteId) {
        self.set_volume_key(volume, &RemoteId::unknown());
    }

    /// Has a volume be of another size, as a person with a console may have it.
    pub fn resize_volume(&self, volume: &RemoteId, size_gib: u32) {
        if let Some(volume) = self.state().volumes.get_mut(volume) {
            volume.size_gib = size_gib;
        }
    }

    /// Destroys a volume, attached or not, at once.
    pub fn destroy_volume(&self, volume: &RemoteId) {
        self.state().lose_volume(volume);
    }

    /// Detaches a volume, at once.
    pub fn detach(&self, volume: &RemoteId) {
        if let Some(volume) = self.state().volumes.get_mut(volume) {
            volume.tie = None;
        }
    }

    /// Puts a key there that carries our tags and has no alias: what a lost reply leaves behind.
    pub fn plant_key(&self, spec: &KeySpec) -> RemoteId {
        self.state().add_key(spec)
    }

    /// Puts a free volume there that carries our tags.
    pub fn plant_volume(&self, spec: &VolumeSpec) -> RemoteId {
        let mut state = self.state();
        let remote = state.add_volume(spec);
        if let Some(volume) = state.volumes.get_mut(&remote) {
            volume.life = VolumeLife::There;
        }
        remote
    }

    /// Puts a machine there that carries our tags, made under no token, with its cache volume if one is to be born.
    pub fn plant_machine(&self, spec: &MachineSpec) -> RemoteId {
        self.state().add_machine(spec, None)
    }

    /// Has a thing of ours stand somewhere else: what a wrong region in somebody's script leads to.
    pub fn misplace(&self, remote: &RemoteId, to: Placement) {
        let mut state = self.state();
        if let Some(machine) = state.machines.get_mut(remote) {
            machine.spec.placement = to;
        }
        if let Some(volume) = state.volumes.get_mut(remote) {
            volume.placement = to;
        }
    }

    /// Ties a free volume to a machine, at once.
    pub fn attach(&self, volume: &RemoteId, machine: &RemoteId) {
        self.state().tie(volume, machine, TiePhase::Attached);
    }
}
