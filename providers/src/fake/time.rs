//! The passage of time: what is under way ends when its time has come, in the order of due times, whenever somebody looks.

use super::state::{KeyState, MachineLife, State, TiePhase, VolumeLife};
use crate::{RemoteId, Trouble};

/// Something that is due. Each names the turn that planned it: a later plan for the same thing makes it void.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Key(RemoteId, u64),
    Volume(RemoteId, u64),
    Tie(RemoteId, u64),
    Machine(RemoteId, u64),
}

impl State {
    /// Lets everything happen that is due by then. A clock that goes back stands still here.
    pub(super) fn advance(&mut self, now_ms: i64) {
        let now_ms = self.now_ms.max(now_ms);
        while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= now_ms) {
            let ((due_ms, _), event) = entry.remove_entry();
            self.now_ms = self.now_ms.max(due_ms);
            match event {
                Event::Key(remote, turn) => self.end_key(&remote, turn),
                Event::Volume(remote, turn) => self.turn_volume(&remote, turn),
                Event::Tie(remote, turn) => self.turn_tie(&remote, turn),
                Event::Machine(remote, turn) => self.turn_machine(&remote, turn),
            }
        }
        self.now_ms = now_ms;
    }

    /// When the next thing is due.
    pub(super) fn due_ms(&self) -> Option<i64> {
        self.events.keys().map(|(due_ms, _)| *due_ms).next()
    }

    fn plan(&mut self, in_ms: i64, event: impl FnOnce(u64) -> Event) -> u64 {
        let turn = self.count();
        self.events.insert((self.now_ms + in_ms.max(0), turn), event(turn));
        turn
    }

    pub(super) fn plan_machine(&mut self, remote: &RemoteId, in_ms: i64) {
        let turn = self.plan(in_ms, |turn| Event::Machine(remote.clone(), turn));
        if let Some(machine) = self.machines.get_mut(remote) {
            machine.turn = turn;
        }
    }

    pub(super) fn plan_volume(&mut self, remote: &RemoteId, in_ms: i64) {
        let turn = self.plan(in_ms, |turn| Event::Volume(remote.clone(), turn));
        if let Some(volume) = self.volumes.get_mut(remote) {
            volume.turn = turn;
        }
    }

    pub(super) fn plan_tie(&mut self, volume: &RemoteId, in_ms: i64) {
        let turn = self.plan(in_ms, |turn| Event::Tie(volume.clone(), turn));
        if let Some(tie) = self.volumes.get_mut(volume).and_then(|volume| volume.tie.as_mut()) {
            tie.turn = turn;
        }
    }

    /// Schedules a key's deletion. Its alias, if it has one, still leads to it.
    pub(super) fn doom_key(&mut self, remote: &RemoteId) {
        let in_ms = i64::try_from(self.config.key_deletion_ms).unwrap_or(i64::MAX / 4);
        let turn = self.plan(in_ms, |turn| Event::Key(remote.clone(), turn));
        let until_ms = self.now_ms + in_ms;
        if let Some(key) = self.keys.get_mut(remote) {
            key.state = KeyState::PendingDeletion { until_ms };
            key.turn = turn;
        }
    }

    fn end_key(&mut self, remote: &RemoteId, turn: u64) {
        let Some(key) = self.keys.get_mut(remote).filter(|key| key.turn == turn) else { return };
        if let KeyState::PendingDeletion { .. } = key.state {
            key.gone = true;
            self.aliases.retain(|_, target| target != remote);
        }
    }

    fn turn_volume(&mut self, remote: &RemoteId, turn: u64) {
        let Some(volume) = self.volumes.get(remote).filter(|volume| volume.turn == turn) else { return };
        match volume.life {
            VolumeLife::Creating => {
                // Under a key that can't be used nothing is made; the machine's end takes it away.
                let machine = volume.holder().and_then(|holder| self.machines.get(holder));
                if machine.is_none_or(|machine| machine.doom.is_none()) {
                    self.finish_volume(remote);
                }
            }
            VolumeLife::Deleting => self.lose_volume(remote),
            VolumeLife::There | VolumeLife::Gone => {}
        }
    }

    fn finish_volume(&mut self, remote: &RemoteId) {
        if let Some(volume) = self.volumes.get_mut(remote) {
            volume.life = VolumeLife::There;
            if let Some(tie) = &mut volume.tie {
                tie.phase = TiePhase::Attached;
            }
        }
    }

    /// The volume is no more.
    pub(super) fn lose_volume(&mut self, remote: &RemoteId) {
        let now_ms = self.now_ms;
        if let Some(volume) = self.volumes.get_mut(remote).filter(|volume| volume.life != VolumeLife::Gone) {
            volume.life = VolumeLife::Gone;
            volume.tie = None;
            volume.gone_ms = Some(now_ms);
        }
        self.history.leave(remote);
    }

    fn turn_tie(&mut self, volume: &RemoteId, turn: u64) {
        let Some(volume) = self.volumes.get_mut(volume) else { return };
        let Some(tie) = volume.tie.as_mut().filter(|tie| tie.turn == turn) else { return };
        match tie.phase {
            TiePhase::Attaching => tie.phase = TiePhase::Attached,
            TiePhase::Detaching => volume.tie = None,
            TiePhase::Attached => {}
        }
    }

    fn turn_machine(&mut self, remote: &RemoteId, turn: u64) {
        let Some(machine) = self.machines.get(remote).filter(|machine| machine.turn == turn) else { return };
        match machine.life {
            MachineLife::Starting => self.come_up(remote),
            MachineLife::Stopping => self.set_life(remote, MachineLife::Stopped),
            MachineLife::Terminating => self.lose_machine(remote, None),
            MachineLife::Running | MachineLife::Stopped | MachineLife::Dead => {}
        }
    }

    fn set_life(&mut self, remote: &RemoteId, life: MachineLife) {
        if let Some(machine) = self.machines.get_mut(remote) {
            machine.life = life;
        }
    }

    /// The key is looked at here, and not only when the request came: that is what makes its failure asynchronous.
    fn come_up(&mut self, remote: &RemoteId) {
        let Some(machine) = self.machines.get(remote) else { return };
        let trouble = self.boot_trouble(remote).map(|mut trouble| {
            trouble.message = format!("machine {remote} did not come up: {}", trouble.message);
            trouble
        });
        let trouble = machine.doom.clone().or(trouble);
        match trouble {
            Some(trouble) if !machine.has_run => self.lose_machine(remote, Some(trouble)),
            trouble => {
                if let Some(machine) = self.machines.get_mut(remote) {
                    machine.life = if trouble.is_some() { MachineLife::Stopped } else { MachineLife::Running };
                    machine.has_run |= trouble.is_none();
                    machine.trouble = trouble;
                }
            }
        }
    }

    /// What is wrong with the keys of its root and cache volumes.
    fn boot_trouble(&self, remote: &RemoteId) -> Option<Trouble> {
        let machine = self.machines.get(remote)?;
        let region = machine.spec.placement.region();
        let cache = self.volume_of(remote).map(|(_, volume)| volume.key.clone());
        std::iter::once(machine.key.clone()).chain(cache).find_map(|key| self.key_trouble(&key, region))
    }

    /// The machine is no more. A cache that was to be born with one that never came up goes with it; any other stays.
    pub(super) fn lose_machine(&mut self, remote: &RemoteId, trouble: Option<Trouble>) {
        let now_ms = self.now_ms;
        let Some(machine) = self.machines.get_mut(remote).filter(|it| it.life != MachineLife::Dead) else { return };
        machine.life = MachineLife::Dead;
        machine.gone_ms = Some(now_ms);
        let failed = trouble.is_some() || machine.doom.is_some();
        machine.trouble = trouble;
        let goes_too = failed && !machine.has_run;
        let held: Vec<RemoteId> = (self.volumes.iter())
            .filter(|(_, volume)| volume.holder() == Some(remote))
            .map(|(remote, _)| remote.clone())
            .collect();
        for volume in held {
            let born_here = self.history.born_with.get(&volume) == Some(remote);
            if goes_too && born_here {
                self.lose_volume(&volume);
            } else if let Some(volume) = self.volumes.get_mut(&volume) {
                volume.tie = None;
                if volume.life == VolumeLife::Creating {
                    volume.life = VolumeLife::There;
                }
            }
        }
        self.history.leave(remote);
    }
}
