//! Looking: what is shown, held against what was asked for. One request for any number of machines, one for volumes and ties.

use std::collections::BTreeSet;

use regions::Region;

use super::call::Operation;
use super::request::{About, Asker};
use super::state::{Machine, MachineLife, State, Tags, TiePhase, Volume, VolumeLife};
use super::trouble;
use crate::{
    AttachmentSpec, CacheSource, CallError, ErrorClass, Found, KeySpec, Kind, MachineSpec, Observed, Power, RemoteId,
    Spec, Target, Trouble, VolumeSpec,
};

/// How many things one look takes in: as on EC2, whose filters take 200 values.
const MOST: usize = 200;

fn wrong(code: &str, message: String) -> Trouble {
    trouble(ErrorClass::Invalid, code, message)
}

impl State {
    /// The facts of a machine. The address is a number that never changes; it stands for nothing.
    pub(super) fn found_machine(&self, remote: &RemoteId) -> Found {
        let mut found = Found::new(remote.clone());
        let Some(machine) = self.machines.get(remote) else { return found };
        found.quarantined_until_ms = machine.tags.quarantined_until_ms;
        found.power = match machine.life {
            MachineLife::Running => Some(Power::Running),
            MachineLife::Stopped => Some(Power::Stopped),
            MachineLife::Starting | MachineLife::Stopping | MachineLife::Terminating | MachineLife::Dead => None,
        };
        let shown = self.volume_of(remote).filter(|(_, volume)| volume.visible_ms <= self.now_ms);
        found.cache = shown.map(|(volume, _)| volume.clone());
        let number = remote.as_str().bytes().fold(0_u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let [high, low] = number.to_be_bytes();
        found.address = found.power.filter(|power| *power == Power::Running).map(|_| format!("10.0.{high}.{low}"));
        found
    }

    fn look_at_machine(&self, target: &Target, spec: &MachineSpec, attaches: bool) -> Observed {
        let region = spec.placement.region();
        let shown = |machine: &Machine| machine.visible_ms <= self.now_ms && machine.spec.placement.region() == region;
        let ours: Vec<(&RemoteId, &Machine)> = match &target.remote {
            Some(remote) => self.machines.get_key_value(remote).filter(|(_, it)| shown(it)).into_iter().collect(),
            None => {
                // The shadow of one that is gone may be of an earlier incarnation: it says nothing of this one.
                let tagged = self.machines.iter().filter(|(_, it)| it.tags.names(spec.id) && shown(it));
                let mut there: Vec<_> = tagged.filter(|(_, it)| it.life != MachineLife::Dead).collect();
                there.sort_by_key(|(remote, it)| (!it.is_live(), (*remote).clone()));
                there
            }
        };
        let Some((remote, machine)) = ours.first() else { return Observed::ABSENT };
        let live: Vec<&str> = ours.iter().filter(|(_, it)| it.is_live()).map(|(remote, _)| remote.as_str()).collect();
        if live.len() > 1 {
            let message = format!("{} machines carry the tag of one: {}", live.len(), live.join(", "));
            let why = trouble(ErrorClass::Conflict, "Duplicate", message);
            return Observed::Broken { found: self.found_machine(remote), why };
        }
        self.judge_machine(remote, machine, spec, attaches)
    }

    fn judge_machine(&self, remote: &RemoteId, machine: &Machine, spec: &MachineSpec, attaches: bool) -> Observed {
        let found = self.found_machine(remote);
        match machine.life {
            MachineLife::Dead => {
                let shadow_ms = i64::try_from(self.config.shadow_ms).unwrap_or(i64::MAX / 4);
                let shows = machine.gone_ms.is_some_and(|gone| gone.saturating_add(shadow_ms) > self.now_ms);
                return Observed::Absent { died: machine.trouble.clone().filter(|_| shows) };
            }
            MachineLife::Terminating => return Observed::Leaving(found),
            MachineLife::Starting | MachineLife::Stopping => return Observed::Pending(found),
            MachineLife::Running | MachineLife::Stopped => {}
        }
        if let Some(why) = machine.trouble.clone() {
            return Observed::Broken { found, why };
        }
        if let Some(why) = self.machine_trouble(remote, machine, spec) {
            return Observed::Broken { found, why };
        }
        let must_have_cache = matches!(spec.cache, CacheSource::Born(_)) || attaches;
        let tie = self.volume_of(remote).and_then(|(_, volume)| volume.tie.as_ref()).map(|tie| tie.phase);
        if must_have_cache && (tie != Some(TiePhase::Attached) || found.cache.is_none()) {
            return Observed::Pending(found);
        }
        Observed::Ready(found)
    }

    fn machine_trouble(&self, remote: &RemoteId, machine: &Machine, spec: &MachineSpec) -> Option<Trouble> {
        let (is, wanted) = (machine.spec.placement.zone(), spec.placement.zone());
        if is != wanted {
            return Some(wrong("WrongZone", format!("machine {remote} is in {is}, not {wanted}")));
        }
        if machine.spec.machine != spec.machine {
            let message = format!("machine {remote} is a {}, not {}", machine.spec.machine, spec.machine);
            return Some(wrong("WrongType", message));
        }
        if !machine.tags.are_those(&Tags::of(spec.id, &spec.owner, Some(spec.machine.arch()))) {
            return Some(wrong("WrongTags", format!("machine {remote} has other tags than it was given")));
        }
        if machine.key != spec.key {
            let message = format!("the root volume of {remote} is encrypted with {}, not {}", machine.key, spec.key);
            return Some(wrong("WrongKey", message));
        }
        let (cache, volume) = self.volume_of(remote)?;
        match &spec.cache {
            CacheSource::Existing { remote: wanted, .. } if wanted != cache => {
                Some(wrong("WrongCache", format!("machine {remote} has {cache} as its cache, not {wanted}")))
            }
            CacheSource::Existing { .. } | CacheSource::Born(_) if volume.key != spec.key => {
                let message = format!("cache volume {cache} is encrypted with {}, not {}", volume.key, spec.key);
                Some(wrong("WrongKey", message))
            }
            CacheSource::Existing { .. } | CacheSource::Born(_) => None,
        }
    }

    /// The facts of a volume.
    pub(super) fn found_volume(&self, remote: &RemoteId) -> Found {
        let Some(volume) = self.volumes.get(remote) else { return Found::new(remote.clone()) };
        let quarantined_until_ms = volume.tags.quarantined_until_ms;
        Found { attached_to: volume.holder().cloned(), quarantined_until_ms, ..Found::new(remote.clone()) }
    }

    fn look_at_volume(&self, target: &Target, spec: &VolumeSpec) -> Observed {
        let region = spec.placement.region();
        let shown = |it: &Volume| {
            it.visible_ms <= self.now_ms && it.life != VolumeLife::Gone && it.placement.region() == region
        };
        let ours: Vec<(&RemoteId, &Volume)> = match &target.remote {
            Some(remote) => self.volumes.get_key_value(remote).filter(|(_, it)| shown(it)).into_iter().collect(),
            None => self.volumes.iter().filter(|(_, it)| it.tags.names(spec.id) && shown(it)).collect(),
        };
        let there: Vec<_> = ours.iter().filter(|(_, it)| it.is_live()).collect();
        let Some((remote, volume)) = there.first() else {
            return ours.first().map_or(Observed::ABSENT, |(remote, _)| Observed::Leaving(self.found_volume(remote)));
        };
        let found = self.found_volume(remote);
        if there.len() > 1 {
            let names: Vec<&str> = there.iter().map(|(remote, _)| remote.as_str()).collect();
            let message = format!("{} volumes carry the tag of one cache: {}", names.len(), names.join(", "));
            return Observed::Broken { found, why: trouble(ErrorClass::Conflict, "Duplicate", message) };
        }
        if volume.life == VolumeLife::Creating {
            return Observed::Pending(found);
        }
        match volume_trouble(remote, volume, spec) {
            Some(why) => Observed::Broken { found, why },
            None => Observed::Ready(found),
        }
    }
}

fn volume_trouble(remote: &RemoteId, volume: &Volume, spec: &VolumeSpec) -> Option<Trouble> {
    let (is, wanted) = (volume.placement.zone(), spec.placement.zone());
    if volume.key != spec.key {
        let message = format!("cache volume {remote} is encrypted with {}, not {}", volume.key, spec.key);
        return Some(wrong("WrongKey", message));
    }
    if is != wanted {
        return Some(wrong("WrongZone", format!("cache volume {remote} is in {is}, not {wanted}")));
    }
    if volume.ssd != spec.shape.ssd {
        return Some(wrong("WrongSsd", format!("cache volume {remote} is {:?}, not {:?}", volume.ssd, spec.shape.ssd)));
    }
    let tags = Tags::of(spec.id, &spec.owner, Some(spec.arch));
    (!volume.tags.are_those(&tags))
        .then(|| wrong("WrongTags", format!("cache volume {remote} has other tags than it was given")))
}

/// A volume or a tie, both of which a look at volumes shows.
#[derive(Clone, Copy)]
enum OnDisk<'a> {
    Volume(&'a Target, &'a VolumeSpec),
    Tie(&'a AttachmentSpec),
}

impl Asker {
    /// Looks at all of them.
    pub(super) async fn observe(
        &self,
        region: Region,
        targets: &[Target],
        attaches: bool,
    ) -> Result<Vec<Observed>, CallError> {
        if let Some(stranger) = targets.iter().find(|target| target.spec.region() != region) {
            let message = format!("{} {} is not in {region}", stranger.spec.kind(), stranger.spec.id());
            return Err(CallError::new("observe", ErrorClass::Invalid, "WrongRegion", message));
        }
        let (mut keys, mut machines, mut disks, mut strays) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for target in targets {
            match &target.spec {
                Spec::Stray(spec) => strays.push((target, spec)),
                Spec::Key(spec) => keys.push((target, spec)),
                Spec::Machine(spec) => machines.push((target, spec)),
                Spec::Volume(spec) => disks.push(OnDisk::Volume(target, spec)),
                Spec::Attachment(spec) => disks.push(OnDisk::Tie(spec)),
            }
        }
        let mut keys = self.observe_keys(&keys as &[(&Target, &KeySpec)]).await?.into_iter();
        let mut machines = self.observe_machines(&machines, attaches).await?.into_iter();
        let mut disks = self.observe_disks(&disks).await?.into_iter();
        let mut strays = self.observe_strays(&strays).await?.into_iter();
        let mut seen = Vec::with_capacity(targets.len());
        for target in targets {
            let next = match &target.spec {
                Spec::Key(_) => keys.next(),
                Spec::Machine(_) => machines.next(),
                Spec::Volume(_) | Spec::Attachment(_) => disks.next(),
                Spec::Stray(_) => strays.next(),
            };
            seen.extend(next);
        }
        Ok(seen)
    }

    pub(super) async fn observe_machines(
        &self,
        targets: &[(&Target, &MachineSpec)],
        attaches: bool,
    ) -> Result<Vec<Observed>, CallError> {
        let mut seen = Vec::with_capacity(targets.len());
        for targets in targets.chunks(MOST) {
            let resources: BTreeSet<_> = targets.iter().map(|(_, spec)| spec.id).collect();
            let about = About { kind: Kind::Machine, resources: resources.into_iter().collect() };
            let look = |state: &mut State| {
                let look = |(target, spec): &(&Target, &MachineSpec)| state.look_at_machine(target, spec, attaches);
                Ok(targets.iter().map(look).collect::<Vec<_>>())
            };
            seen.extend(self.request(Operation::DescribeMachines, about, look).await?);
        }
        Ok(seen)
    }

    async fn observe_disks(&self, targets: &[OnDisk<'_>]) -> Result<Vec<Observed>, CallError> {
        let mut seen = Vec::with_capacity(targets.len());
        for targets in targets.chunks(MOST) {
            let resources: BTreeSet<_> = targets
                .iter()
                .map(|target| match target {
                    OnDisk::Volume(_, spec) => spec.id,
                    OnDisk::Tie(spec) => spec.id,
                })
                .collect();
            let about = About { kind: Kind::Volume, resources: resources.into_iter().collect() };
            let look = |state: &mut State| {
                let look = |target: &OnDisk<'_>| match target {
                    OnDisk::Volume(target, spec) => state.look_at_volume(target, spec),
                    OnDisk::Tie(spec) => state.judge_tie(spec),
                };
                Ok(targets.iter().map(look).collect::<Vec<_>>())
            };
            seen.extend(self.request(Operation::DescribeVolumes, about, look).await?);
        }
        Ok(seen)
    }
}
