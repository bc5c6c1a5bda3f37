//! What exists in the modelled cloud. It outlives every provider and every worker.

use std::collections::{BTreeMap, BTreeSet};

use regions::{Arch, Cloud, MachineType, Placement, Region, SsdKind};
use serde::Serialize;
use uuid::Uuid;

use super::call::Journal;
use super::config::FakeConfig;
use super::dice::{Dice, Purpose};
use super::history::History;
use super::throttle::Buckets;
use super::time::Event;
use super::way::Way;
use crate::{CacheSource, KeySpec, MachineSpec, Owner, Principal, RemoteId, ResourceId, Trouble, VolumeSpec};

/// Whether a key can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum KeyState {
    /// It can.
    Enabled,
    /// A person has disabled it.
    Disabled,
    /// Its policy does not let us.
    Denied,
    /// Its deletion is scheduled.
    PendingDeletion {
        /// When it is gone for ever.
        until_ms: i64,
    },
}

/// The tags of a thing. All of them are gone when they are stripped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tags {
    /// Whether it carries our deployment's tag: without, it is not ours to see.
    pub(super) ours: bool,
    pub(super) id: Option<ResourceId>,
    pub(super) owner: Option<Owner>,
    pub(super) arch: Option<Arch>,
    pub(super) quarantined_until_ms: Option<i64>,
}

impl Tags {
    pub(super) const NONE: Self = Self { ours: false, id: None, owner: None, arch: None, quarantined_until_ms: None };

    pub(super) fn of(id: ResourceId, owner: &Owner, arch: Option<Arch>) -> Self {
        Self { ours: true, id: Some(id), owner: Some(owner.clone()), arch, quarantined_until_ms: None }
    }

    /// Whether they are those, the mark of a quarantine aside.
    pub(super) fn are_those(&self, other: &Self) -> bool {
        (self.ours, &self.id, &self.owner, &self.arch) == (other.ours, &other.id, &other.owner, &other.arch)
    }

    pub(super) fn names(&self, id: ResourceId) -> bool {
        self.ours && self.id == Some(id)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) tags: Tags,
    /// Whose it truly is, whatever its tags say.
    pub(super) org: String,
    pub(super) region: Region,
    pub(super) state: KeyState,
    pub(super) rotates: bool,
    pub(super) created_ms: i64,
    pub(super) visible_ms: i64,
    /// The turn that ends its waiting period.
    pub(super) turn: u64,
    /// It is no more.
    pub(super) gone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VolumeLife {
    Creating,
    There,
    Deleting,
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TiePhase {
    Attaching,
    Attached,
    Detaching,
}

#[derive(Clone, Debug)]
pub(super) struct Tie {
    pub(super) machine: RemoteId,
    pub(super) phase: TiePhase,
    pub(super) turn: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Volume {
    pub(super) tags: Tags,
    /// Whose it truly is.
    pub(super) owner: Owner,
    pub(super) arch: Arch,
    pub(super) placement: Placement,
    pub(super) key: RemoteId,
    pub(super) ssd: SsdKind,
    pub(super) size_gib: u32,
    pub(super) life: VolumeLife,
    pub(super) tie: Option<Tie>,
    pub(super) created_ms: i64,
    pub(super) visible_ms: i64,
    pub(super) gone_ms: Option<i64>,
    pub(super) turn: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MachineLife {
    Starting,
    Running,
    Stopping,
    Stopped,
    Terminating,
    Dead,
}

#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) tags: Tags,
    /// What was asked for: the truth about it, whatever its tags say.
    pub(super) spec: MachineSpec,
    pub(super) key: RemoteId,
    pub(super) life: MachineLife,
    /// Whether it has ever run.
    pub(super) has_run: bool,
    /// What will take it away before it runs.
    pub(super) doom: Option<Trouble>,
    /// Why it is gone, or why its last start failed.
    pub(super) trouble: Option<Trouble>,
    pub(super) created_ms: i64,
    pub(super) visible_ms: i64,
    pub(super) gone_ms: Option<i64>,
    pub(super) turn: u64,
    /// Who may come in, by the grant.
    pub(super) ways: BTreeMap<Uuid, Way>,
    /// Who is in.
    pub(super) inside: BTreeSet<Principal>,
}

impl Machine {
    /// Neither gone nor going.
    pub(super) const fn is_live(&self) -> bool {
        !matches!(self.life, MachineLife::Terminating | MachineLife::Dead)
    }

    /// Whether it takes up room in its zone.
    pub(super) const fn takes_room(&self) -> bool {
        !matches!(self.life, MachineLife::Stopped | MachineLife::Dead)
    }
}

impl Volume {
    /// Neither gone nor going.
    pub(super) const fn is_live(&self) -> bool {
        matches!(self.life, VolumeLife::Creating | VolumeLife::There)
    }

    /// The key under which it is, if it is under any.
    pub(super) fn key(&self) -> Option<RemoteId> {
        Some(self.key.clone()).filter(RemoteId::is_known)
    }

    /// The machine that it is tied to.
    pub(super) fn holder(&self) -> Option<&RemoteId> {
        self.tie.as_ref().map(|tie| &tie.machine)
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) config: FakeConfig,
    pub(super) now_ms: i64,
    pub(super) keys: BTreeMap<RemoteId, Key>,
    pub(super) aliases: BTreeMap<(Region, String), RemoteId>,
    pub(super) volumes: BTreeMap<RemoteId, Volume>,
    pub(super) machines: BTreeMap<RemoteId, Machine>,
    /// The volumes that were ever tied to a machine: where to look for the one that is.
    ever_tied: BTreeMap<RemoteId, BTreeSet<RemoteId>>,
    /// What each token has made, for ever.
    pub(super) tokens: BTreeMap<(Region, String), (MachineSpec, RemoteId)>,
    /// How many of the next machines die of a lack of capacity after a yes.
    pub(super) late_failures: u32,
    pub(super) events: BTreeMap<(i64, u64), Event>,
    pub(super) buckets: Buckets,
    pub(super) journal: Journal,
    pub(super) history: History,
    count: u64,
}

impl State {
    pub(super) fn new(config: FakeConfig) -> Self {
        Self {
            config,
            now_ms: i64::MIN,
            keys: BTreeMap::new(),
            aliases: BTreeMap::new(),
            volumes: BTreeMap::new(),
            machines: BTreeMap::new(),
            ever_tied: BTreeMap::new(),
            tokens: BTreeMap::new(),
            late_failures: 0,
            events: BTreeMap::new(),
            buckets: Buckets::default(),
            journal: Journal::default(),
            history: History::default(),
            count: 0,
        }
    }

    pub(super) const fn dice(&self) -> Dice {
        Dice(self.config.seed)
    }

    /// The next number of anything that has one.
    pub(super) const fn count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// A duration as it turns out this time.
    pub(super) fn lasts(&mut self, longest_ms: u64) -> i64 {
        let count = self.count();
        self.dice().jitter(count, longest_ms, self.config.jitter_percent)
    }

    fn serial(&mut self) -> (u64, u64) {
        let count = self.count();
        (self.dice().below(Purpose::Name, 0, 0xffff), count)
    }

    /// Puts a key there, without rotation and alias.
    pub(super) fn add_key(&mut self, spec: &KeySpec) -> RemoteId {
        let (seed, n) = self.serial();
        let region = spec.region.name();
        let remote = RemoteId(match spec.region.cloud() {
            Cloud::Aws => format!("arn:aws:kms:{region}:000000000000:key/0000{seed:04x}-0000-4000-8000-{n:012x}"),
            Cloud::Gcp => {
                format!("projects/fake/locations/{region}/keyRings/provisioner/cryptoKeys/{seed:04x}{n:08x}")
            }
        });
        let visible_ms = self.now_ms + self.lasts(self.config.visibility_ms);
        let key = Key {
            tags: Tags::of(spec.id, &spec.owner, None),
            org: spec.owner.org.clone(),
            region: spec.region,
            state: KeyState::Enabled,
            rotates: false,
            created_ms: self.now_ms,
            visible_ms,
            turn: 0,
            gone: false,
        };
        self.keys.insert(remote.clone(), key);
        remote
    }

    /// Puts a volume there that is still being made.
    pub(super) fn add_volume(&mut self, spec: &VolumeSpec) -> RemoteId {
        let (seed, n) = self.serial();
        let remote = RemoteId(match spec.placement.zone().cloud() {
            Cloud::Aws => format!("vol-{seed:04x}{n:013x}"),
            Cloud::Gcp => format!("projects/fake/zones/{}/disks/{seed:04x}{n:08x}", spec.placement.zone().name()),
        });
        let visible_ms = self.now_ms + self.lasts(self.config.visibility_ms);
        let volume = Volume {
            tags: Tags::of(spec.id, &spec.owner, Some(spec.arch)),
            owner: spec.owner.clone(),
            arch: spec.arch,
            placement: spec.placement,
            key: spec.key.clone(),
            ssd: spec.shape.ssd,
            size_gib: spec.shape.size_gib,
            life: VolumeLife::Creating,
            tie: None,
            created_ms: self.now_ms,
            visible_ms,
            gone_ms: None,
            turn: 0,
        };
        self.volumes.insert(remote.clone(), volume);
        let lasts = self.lasts(self.config.volume_ms);
        self.plan_volume(&remote, lasts);
        remote
    }

    /// Puts a machine there that is starting, with its newborn cache if it has one.
    pub(super) fn add_machine(&mut self, spec: &MachineSpec, doom: Option<Trouble>) -> RemoteId {
        let (seed, n) = self.serial();
        let zone = spec.placement.zone();
        let remote = RemoteId(match zone.cloud() {
            Cloud::Aws => format!("i-{seed:04x}{n:013x}"),
            Cloud::Gcp => format!("projects/fake/zones/{}/instances/{seed:04x}{n:08x}", zone.name()),
        });
        let visible_ms = self.now_ms + self.lasts(self.config.visibility_ms);
        let lasts = self.lasts(if doom.is_some() { self.config.fail_ms } else { self.config.boot_ms });
        let machine = Machine {
            tags: Tags::of(spec.id, &spec.owner, Some(spec.machine.arch())),
            spec: spec.clone(),
            key: spec.key.clone(),
            life: MachineLife::Starting,
            has_run: false,
            doom,
            trouble: None,
            created_ms: self.now_ms,
            visible_ms,
            gone_ms: None,
            turn: 0,
            ways: BTreeMap::new(),
            inside: BTreeSet::new(),
        };
        self.machines.insert(remote.clone(), machine);
        if let CacheSource::Born(volume) = &spec.cache {
            let volume = self.add_volume(volume);
            self.tie(&volume, &remote, TiePhase::Attaching);
        }
        self.plan_machine(&remote, lasts);
        remote
    }

    /// Ties a volume to a machine. What is still being made is attached when it has been made.
    pub(super) fn tie(&mut self, volume: &RemoteId, machine: &RemoteId, phase: TiePhase) {
        if let Some(tied) = self.volumes.get_mut(volume) {
            tied.tie = Some(Tie { machine: machine.clone(), phase, turn: 0 });
            self.ever_tied.entry(machine.clone()).or_default().insert(volume.clone());
        }
    }

    /// The volume that is tied to that machine.
    pub(super) fn volume_of(&self, machine: &RemoteId) -> Option<(&RemoteId, &Volume)> {
        let tied = self.ever_tied.get(machine)?.iter().filter_map(|remote| self.volumes.get_key_value(remote));
        tied.into_iter().find(|(_, volume)| volume.holder() == Some(machine))
    }

    /// What is wrong with that key for use in that region; none where nothing is.
    pub(super) fn key_trouble(&self, remote: &RemoteId, region: Region) -> Option<Trouble> {
        let key = self.keys.get(remote).filter(|key| !key.gone && key.region == region);
        let (code, problem) = match key.map(|key| key.state) {
            None => ("InvalidKMSKey.NotFound", "is not in this region"),
            Some(KeyState::Enabled) => return None,
            Some(KeyState::Disabled) => ("Disabled", "is disabled: enable it"),
            Some(KeyState::Denied) => ("AccessDeniedException", "does not let us use it: mend its policy"),
            Some(KeyState::PendingDeletion { .. }) => {
                ("PendingDeletion", "is scheduled for deletion: cancel that, or let its removal end")
            }
        };
        Some(super::trouble(crate::ErrorClass::KeyUnusable, code, format!("key {remote} {problem}")))
    }

    /// How many machines of that type the zone has left; none where it has plenty.
    pub(super) fn room(&self, placement: Placement, machine: MachineType) -> Option<u32> {
        let zone = placement.zone();
        let stocks = || self.config.capacity.iter().filter(|stock| stock.zone == zone);
        let own = stocks().find(|stock| stock.machine.as_deref() == Some(machine.name()));
        let stock = own.or_else(|| stocks().find(|stock| stock.machine.is_none()))?;
        let shares = |other: &&Machine| {
            let same_type = stock.machine.is_none() || other.spec.machine == machine;
            other.takes_room() && other.spec.placement.zone() == zone && same_type
        };
        let taken = self.machines.values().filter(shares).count();
        Some(stock.count.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX)))
    }
}
