//! Machines: made under a token, started, stopped, ended.

use super::call::Operation;
use super::dice::Purpose;
use super::request::{About, Asker};
use super::state::{MachineLife, State, TiePhase, VolumeLife};
use super::trouble;
use crate::{
    CacheSource, CallError, ErrorClass, Found, Kind, MachineSpec, Observed, Power, RemoteId, Target, Token, Trouble,
};

impl State {
    /// The machines that a call concerns: the known one, or those that carry the tag, are shown, and live.
    fn machines_meant(&self, target: &Target, spec: &MachineSpec) -> Vec<RemoteId> {
        if let Some(remote) = &target.remote {
            return vec![remote.clone()];
        }
        let meant = self.machines.iter().filter(|(_, machine)| {
            machine.tags.names(spec.id)
                && machine.spec.placement.region() == spec.placement.region()
                && machine.visible_ms <= self.now_ms
                && machine.is_live()
        });
        meant.map(|(remote, _)| remote.clone()).collect()
    }

    /// Makes a machine, or finds what the token made before. Everything is refused before any effect, but for what a
    /// cloud finds out only later.
    fn run_machine(&mut self, token: &Token, spec: &MachineSpec, attaches: bool) -> Result<RemoteId, Trouble> {
        let region = spec.placement.region();
        let place = (region, token.as_str().to_owned());
        if let Some((made_from, remote)) = self.tokens.get(&place) {
            if made_from == spec {
                return Ok(remote.clone());
            }
            let message = format!("token {} was used for {remote} with other parameters", token.as_str());
            return Err(trouble(ErrorClass::Conflict, "IdempotentParameterMismatch", message));
        }
        let existing = match &spec.cache {
            CacheSource::Existing { remote, .. } if attaches => Some(remote),
            CacheSource::Existing { .. } | CacheSource::Born(_) => None,
        };
        if let Some(volume) = existing {
            self.free_volume(volume, spec.placement.zone())?;
        }
        if let Some(most) = self.config.machines_per_region {
            let there = |machine: &&super::state::Machine| {
                machine.life != MachineLife::Dead && machine.spec.placement.region() == region
            };
            if self.machines.values().filter(there).count() >= most as usize {
                let message = format!("the account may have {most} machines in {region}");
                return Err(trouble(ErrorClass::Quota, "VcpuLimitExceeded", message));
            }
        }
        // EC2 refuses at once when a zone is full; Compute Engine, which also attaches at birth, says yes and tells so by its
        // operation.
        let full = match self.has_room(spec) {
            Err(why) if attaches => Some(why),
            other => other.map(|()| None)?,
        };
        let doom = self.doom_of(spec, existing).or(full);
        let machine = self.add_machine(spec, doom);
        if let Some(volume) = existing {
            self.tie(volume, &machine, TiePhase::Attaching);
            let lasts = self.lasts(self.config.attach_ms);
            self.plan_tie(volume, lasts);
        }
        self.note_machine(spec, &machine);
        self.tokens.insert(place, (spec.clone(), machine.clone()));
        Ok(machine)
    }

    fn has_room(&self, spec: &MachineSpec) -> Result<(), Trouble> {
        if self.room(spec.placement, spec.machine) != Some(0) {
            return Ok(());
        }
        let message = format!("{} has no {} now", spec.placement.zone(), spec.machine.name());
        Err(trouble(ErrorClass::NoCapacity, "InsufficientInstanceCapacity", message))
    }

    /// What the cloud will find out after it has said yes.
    fn doom_of(&mut self, spec: &MachineSpec, existing: Option<&RemoteId>) -> Option<Trouble> {
        let region = spec.placement.region();
        let born = match &spec.cache {
            CacheSource::Born(volume) => Some(volume.key.clone()),
            CacheSource::Existing { .. } => None,
        };
        let volume = existing.and_then(|volume| self.volumes.get(volume)).map(|volume| volume.key.clone());
        let keys = std::iter::once(spec.key.clone()).chain(born).chain(volume);
        let bad_key = keys.into_iter().find_map(|key| self.key_trouble(&key, region));
        if let Some(why) = bad_key {
            return Some(trouble(why.class, &why.code, format!("the machine did not come up: {}", why.message)));
        }
        let count = self.count();
        let by_chance = self.dice().below(Purpose::Capacity, count, 1_000);
        let by_wish = self.late_failures > 0;
        self.late_failures = self.late_failures.saturating_sub(1);
        let late = by_wish || by_chance < u64::from(self.config.late_no_capacity_per_mille);
        late.then(|| {
            let message = format!("{} turned out to have no {}", spec.placement.zone(), spec.machine.name());
            trouble(ErrorClass::NoCapacity, "Server.InsufficientInstanceCapacity", message)
        })
    }

    /// What the answer to a creation says: only a later look can verify, so it is never ready.
    fn first_look(&self, remote: &RemoteId) -> Observed {
        let Some(machine) = self.machines.get(remote) else { return Observed::ABSENT };
        match machine.life {
            MachineLife::Dead => Observed::Absent { died: machine.trouble.clone() },
            MachineLife::Terminating => Observed::Leaving(Found::new(remote.clone())),
            MachineLife::Starting | MachineLife::Running | MachineLife::Stopping | MachineLife::Stopped => {
                Observed::Pending(Found::new(remote.clone()))
            }
        }
    }

    pub(super) fn switch(&mut self, remote: &RemoteId, power: Power) -> Result<Observed, Trouble> {
        let Some(machine) = self.machines.get(remote) else { return Ok(Observed::ABSENT) };
        let spec = machine.spec.clone();
        let next = match (machine.life, power) {
            (MachineLife::Dead, _) => return Ok(Observed::ABSENT),
            (MachineLife::Running, Power::Running) => return Ok(Observed::Pending(self.found_machine(remote))),
            (MachineLife::Starting, Power::Running)
            | (MachineLife::Stopped | MachineLife::Stopping, Power::Stopped) => {
                return Ok(Observed::Pending(self.found_machine(remote)));
            }
            (MachineLife::Stopped, Power::Running) => {
                self.has_room(&spec)?;
                MachineLife::Starting
            }
            (MachineLife::Running, Power::Stopped) => MachineLife::Stopping,
            (life, _) => {
                let message = format!("machine {remote} is {life:?}");
                return Err(trouble(ErrorClass::Conflict, "IncorrectInstanceState", message));
            }
        };
        let longest_ms = if power == Power::Running { self.config.boot_ms } else { self.config.stop_ms };
        if let Some(machine) = self.machines.get_mut(remote) {
            machine.life = next;
            machine.trouble = None;
        }
        let lasts = self.lasts(longest_ms);
        self.plan_machine(remote, lasts);
        Ok(Observed::Pending(self.found_machine(remote)))
    }

    /// Lets it go. Its cache volume stays.
    pub(super) fn terminate(&mut self, remote: &RemoteId) -> Observed {
        let Some(machine) = self.machines.get_mut(remote) else { return Observed::ABSENT };
        match machine.life {
            MachineLife::Dead => return Observed::ABSENT,
            MachineLife::Terminating => return Observed::Leaving(Found::new(remote.clone())),
            MachineLife::Starting | MachineLife::Running | MachineLife::Stopping | MachineLife::Stopped => {}
        }
        machine.life = MachineLife::Terminating;
        machine.trouble = None;
        self.history.leave(remote);
        let lasts = self.lasts(self.config.terminate_ms);
        self.plan_machine(remote, lasts);
        Observed::Leaving(Found::new(remote.clone()))
    }

    /// Whether a volume can be tied to a machine in that zone.
    pub(super) fn free_volume(&self, remote: &RemoteId, zone: regions::Zone) -> Result<(), Trouble> {
        let volume = self.volumes.get(remote).filter(|volume| volume.life != VolumeLife::Gone);
        let Some(volume) = volume else {
            let message = format!("there is no volume {remote}");
            return Err(trouble(ErrorClass::Conflict, "InvalidVolume.NotFound", message));
        };
        if volume.placement.zone() != zone {
            let message = format!("volume {remote} is in {}, not {zone}", volume.placement.zone());
            return Err(trouble(ErrorClass::Invalid, "InvalidVolume.ZoneMismatch", message));
        }
        if let Some(holder) = volume.holder() {
            let message = format!("volume {remote} is attached to {holder}");
            return Err(trouble(ErrorClass::Conflict, "VolumeInUse", message));
        }
        if volume.life != VolumeLife::There {
            let message = format!("volume {remote} is {:?}", volume.life);
            return Err(trouble(ErrorClass::Conflict, "IncorrectState", message));
        }
        Ok(())
    }
}

impl Asker {
    /// Makes one, or finds what this token already made.
    pub(super) async fn ensure_machine(
        &self,
        token: &Token,
        target: &Target,
        spec: &MachineSpec,
        attaches: bool,
    ) -> Result<Observed, CallError> {
        if target.remote.is_some() {
            let seen = self.observe_machines(&[(target, spec)], attaches).await?;
            return Ok(seen.into_iter().next().unwrap_or(Observed::ABSENT));
        }
        let operation = Operation::RunMachine;
        let run = |state: &mut State| {
            let machine = state.run_machine(token, spec, attaches);
            machine.map(|machine| state.first_look(&machine)).map_err(|why| self.refusal(operation, why))
        };
        self.request(operation, About::one(Kind::Machine, spec.id), run).await
    }

    /// The machines that a call concerns. Those of a known name cost no request.
    async fn machines_meant(&self, target: &Target, spec: &MachineSpec) -> Result<Vec<RemoteId>, CallError> {
        if let Some(remote) = &target.remote {
            return Ok(vec![remote.clone()]);
        }
        let look = |state: &mut State| Ok(state.machines_meant(target, spec));
        self.request(Operation::DescribeMachines, About::one(Kind::Machine, spec.id), look).await
    }

    /// Starts or stops one.
    pub(super) async fn switch_machine(
        &self,
        target: &Target,
        spec: &MachineSpec,
        power: Power,
    ) -> Result<Observed, CallError> {
        let meant = self.machines_meant(target, spec).await?;
        let Some(remote) = meant.first() else { return Ok(Observed::ABSENT) };
        let operation = match power {
            Power::Running => Operation::StartMachine,
            Power::Stopped => Operation::StopMachine,
        };
        let switch = |state: &mut State| {
            state.check_machine_removal(remote, spec);
            state.switch(remote, power).map_err(|why| self.refusal(operation, why))
        };
        self.request(operation, About::one(Kind::Machine, spec.id), switch).await
    }

    /// Ends it; after a lost reply all that carry its tag.
    pub(super) async fn remove_machine(&self, target: &Target, spec: &MachineSpec) -> Result<Observed, CallError> {
        let meant = self.machines_meant(target, spec).await?;
        if meant.is_empty() {
            return Ok(Observed::ABSENT);
        }
        let end = |state: &mut State| {
            let mut seen = Observed::ABSENT;
            for remote in &meant {
                state.check_machine_removal(remote, spec);
                let now = state.terminate(remote);
                if seen.is_absent() {
                    seen = now;
                }
            }
            Ok(seen)
        };
        self.request(Operation::TerminateMachine, About::one(Kind::Machine, spec.id), end).await
    }
}

impl State {
    fn check_machine_removal(&mut self, remote: &RemoteId, spec: &MachineSpec) {
        if let Some(owner) = self.machines.get(remote).map(|machine| machine.spec.owner.clone()) {
            self.check_removal(remote, &owner, &spec.owner);
        }
    }
}
