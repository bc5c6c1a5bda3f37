//! Cache volumes and their ties to machines. A volume is born with its machine; here it is tied, untied and deleted.

use super::call::Operation;
use super::request::{About, Asker};
use super::state::{MachineLife, State, TiePhase, VolumeLife};
use super::trouble;
use crate::{
    AttachmentSpec, CallError, ErrorClass, Found, Kind, Observed, Owner, RemoteId, Target, Trouble, VolumeSpec,
};

impl State {
    fn volumes_meant(&self, spec: &VolumeSpec) -> Vec<RemoteId> {
        let meant = self.volumes.iter().filter(|(_, volume)| {
            volume.tags.names(spec.id)
                && volume.placement.region() == spec.placement.region()
                && volume.visible_ms <= self.now_ms
                && volume.is_live()
        });
        meant.map(|(remote, _)| remote.clone()).collect()
    }

    fn delete_volume(&mut self, remote: &RemoteId, spec: &VolumeSpec) -> Result<Observed, Trouble> {
        self.delete_volume_of(remote, Some(&spec.owner))
    }

    /// Deletes a volume that is known by its name alone.
    pub(super) fn delete_stray_volume(&mut self, remote: &RemoteId) -> Result<Observed, Trouble> {
        self.delete_volume_of(remote, None)
    }

    fn delete_volume_of(&mut self, remote: &RemoteId, asked_for: Option<&Owner>) -> Result<Observed, Trouble> {
        let Some(volume) = self.volumes.get(remote) else { return Ok(Observed::ABSENT) };
        let owner = volume.owner.clone();
        match (volume.life, volume.holder()) {
            (VolumeLife::Gone, _) => return Ok(Observed::ABSENT),
            (VolumeLife::Deleting, _) => return Ok(Observed::Leaving(Found::new(remote.clone()))),
            (_, Some(holder)) => {
                let message = format!("volume {remote} is attached to {holder}");
                return Err(trouble(ErrorClass::Conflict, "VolumeInUse", message));
            }
            (VolumeLife::Creating, None) => {
                let message = format!("volume {remote} is still being made");
                return Err(trouble(ErrorClass::Conflict, "IncorrectState", message));
            }
            (VolumeLife::There, None) => {}
        }
        if let Some(asked_for) = asked_for {
            self.check_removal(remote, &owner, asked_for);
        }
        if let Some(volume) = self.volumes.get_mut(remote) {
            volume.life = VolumeLife::Deleting;
        }
        self.history.leave(remote);
        let lasts = self.lasts(self.config.delete_ms);
        self.plan_volume(remote, lasts);
        Ok(Observed::Leaving(Found::new(remote.clone())))
    }

    fn attach(&mut self, spec: &AttachmentSpec) -> Result<Observed, Trouble> {
        let machine = self.machines.get(&spec.machine).filter(|machine| machine.life != MachineLife::Dead);
        let Some(machine) = machine else {
            let message = format!("there is no machine {}", spec.machine);
            return Err(trouble(ErrorClass::Conflict, "InvalidInstanceID.NotFound", message));
        };
        let tie = self.volumes.get(&spec.volume).and_then(|volume| volume.tie.as_ref());
        if tie.is_some_and(|tie| tie.machine == spec.machine && tie.phase != TiePhase::Detaching) {
            return Ok(self.judge_tie(spec));
        }
        self.free_volume(&spec.volume, machine.spec.placement.zone())?;
        if !matches!(machine.life, MachineLife::Running | MachineLife::Stopped) {
            let message = format!("machine {} is {:?}", spec.machine, machine.life);
            return Err(trouble(ErrorClass::Conflict, "IncorrectState", message));
        }
        if let Some((other, _)) = self.volume_of(&spec.machine) {
            let message = format!("machine {} has {other} as its cache", spec.machine);
            return Err(trouble(ErrorClass::Conflict, "InvalidDevice.InUse", message));
        }
        let key = self.volumes.get(&spec.volume).map(|volume| volume.key.clone());
        if let Some(why) = key.and_then(|key| self.key_trouble(&key, spec.placement.region())) {
            return Err(why);
        }
        self.tie(&spec.volume, &spec.machine, TiePhase::Attaching);
        let lasts = self.lasts(self.config.attach_ms);
        self.plan_tie(&spec.volume, lasts);
        self.check_tie(&spec.volume, &spec.machine);
        Ok(self.judge_tie(spec))
    }

    /// Unties it from that machine, and from no other.
    fn detach(&mut self, spec: &AttachmentSpec) -> Result<Observed, Trouble> {
        let owner = self.volumes.get(&spec.volume).map(|volume| volume.owner.clone());
        let tie = self.volumes.get_mut(&spec.volume).and_then(|volume| volume.tie.as_mut());
        let Some(tie) = tie.filter(|tie| tie.machine == spec.machine) else { return Ok(Observed::ABSENT) };
        match tie.phase {
            TiePhase::Detaching => return Ok(self.judge_tie(spec)),
            TiePhase::Attaching => {
                let message = format!("volume {} is still being attached", spec.volume);
                return Err(trouble(ErrorClass::Conflict, "IncorrectState", message));
            }
            TiePhase::Attached => tie.phase = TiePhase::Detaching,
        }
        if let Some(owner) = owner {
            self.check_removal(&spec.volume, &owner, &spec.owner);
        }
        let lasts = self.lasts(self.config.detach_ms);
        self.plan_tie(&spec.volume, lasts);
        Ok(self.judge_tie(spec))
    }

    /// A tie as it is. A volume that another machine holds is not tied to this one.
    pub(super) fn judge_tie(&self, spec: &AttachmentSpec) -> Observed {
        let tie = self.volumes.get(&spec.volume).and_then(|volume| volume.tie.as_ref());
        let Some(tie) = tie.filter(|tie| tie.machine == spec.machine) else { return Observed::ABSENT };
        let remote = RemoteId(format!("{}:{}", spec.volume, spec.machine));
        let found =
            Found { cache: Some(spec.volume.clone()), attached_to: Some(spec.machine.clone()), ..Found::new(remote) };
        match tie.phase {
            TiePhase::Attaching => Observed::Pending(found),
            TiePhase::Attached => Observed::Ready(found),
            TiePhase::Detaching => Observed::Leaving(found),
        }
    }
}

impl Asker {
    /// Deletes it; after a lost reply all that carry its tag. One that is attached is refused, and never detached here.
    pub(super) async fn remove_volume(&self, target: &Target, spec: &VolumeSpec) -> Result<Observed, CallError> {
        let about = About::one(Kind::Volume, spec.id);
        let meant = match &target.remote {
            Some(remote) => vec![remote.clone()],
            None => {
                let look = |state: &mut State| Ok(state.volumes_meant(spec));
                self.request(Operation::DescribeVolumes, about.clone(), look).await?
            }
        };
        let mut seen = Observed::ABSENT;
        for remote in meant {
            let operation = Operation::DeleteVolume;
            let delete =
                |state: &mut State| state.delete_volume(&remote, spec).map_err(|why| self.refusal(operation, why));
            seen = self.request(operation, about.clone(), delete).await?;
        }
        Ok(seen)
    }

    /// Attaches.
    pub(super) async fn attach(&self, spec: &AttachmentSpec) -> Result<Observed, CallError> {
        let operation = Operation::AttachVolume;
        let attach = |state: &mut State| state.attach(spec).map_err(|why| self.refusal(operation, why));
        self.request(operation, About::one(Kind::Attachment, spec.id), attach).await
    }

    /// Detaches.
    pub(super) async fn detach(&self, spec: &AttachmentSpec) -> Result<Observed, CallError> {
        let operation = Operation::DetachVolume;
        let detach = |state: &mut State| state.detach(spec).map_err(|why| self.refusal(operation, why));
        self.request(operation, About::one(Kind::Attachment, spec.id), detach).await
    }
}
