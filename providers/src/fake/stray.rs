//! Strays, known by name alone; and tags written anew.

use super::call::Operation;
use super::request::{About, Asker};
use super::state::{KeyState, MachineLife, State, Tags, VolumeLife};
use crate::{CallError, ErrorClass, Found, Kind, Observed, RemoteId, Spec, StraySpec, Target};

impl State {
    pub(super) fn tags_of(&mut self, remote: &RemoteId) -> Option<&mut Tags> {
        if let Some(machine) = self.machines.get_mut(remote) {
            return machine.is_live().then_some(&mut machine.tags);
        }
        if let Some(volume) = self.volumes.get_mut(remote) {
            return volume.is_live().then_some(&mut volume.tags);
        }
        self.keys.get_mut(remote).filter(|key| !key.gone).map(|key| &mut key.tags)
    }

    fn look_at_stray(&self, spec: &StraySpec, remote: &RemoteId) -> Observed {
        match spec.kind {
            Kind::Machine => {
                let shown = |machine: &&super::state::Machine| {
                    machine.visible_ms <= self.now_ms && machine.spec.placement.region() == spec.region
                };
                let Some(machine) = self.machines.get(remote).filter(shown) else { return Observed::ABSENT };
                let found = self.found_machine(remote);
                match machine.life {
                    MachineLife::Dead => Observed::ABSENT,
                    MachineLife::Terminating => Observed::Leaving(found),
                    MachineLife::Starting | MachineLife::Stopping => Observed::Pending(found),
                    MachineLife::Running | MachineLife::Stopped => Observed::Ready(found),
                }
            }
            Kind::Volume => {
                let shown = |volume: &&super::state::Volume| {
                    volume.visible_ms <= self.now_ms && volume.placement.region() == spec.region
                };
                let Some(volume) = self.volumes.get(remote).filter(shown) else { return Observed::ABSENT };
                match volume.life {
                    VolumeLife::Gone => Observed::ABSENT,
                    VolumeLife::Deleting => Observed::Leaving(self.found_volume(remote)),
                    VolumeLife::Creating | VolumeLife::There => Observed::Ready(self.found_volume(remote)),
                }
            }
            Kind::Key => match self.keys.get(remote).filter(|key| !key.gone && key.region == spec.region) {
                None => Observed::ABSENT,
                Some(key) if matches!(key.state, KeyState::PendingDeletion { .. }) => {
                    Observed::Leaving(Found::new(remote.clone()))
                }
                Some(key) => Observed::Ready(Found {
                    quarantined_until_ms: key.tags.quarantined_until_ms,
                    ..Found::new(remote.clone())
                }),
            },
            Kind::Snapshot | Kind::Attachment => Observed::ABSENT,
        }
    }

    fn write_tags(&mut self, spec: &Spec, remote: &RemoteId) -> bool {
        let Some(tags) = self.tags_of(remote) else { return false };
        match spec {
            Spec::Key(spec) => *tags = Tags::of(spec.id, &spec.owner, None),
            Spec::Machine(spec) => *tags = Tags::of(spec.id, &spec.owner, Some(spec.machine.arch())),
            Spec::Volume(spec) => *tags = Tags::of(spec.id, &spec.owner, Some(spec.arch)),
            Spec::Stray(spec) => tags.quarantined_until_ms = spec.quarantine_until_ms,
            Spec::Attachment(_) => return false,
        }
        true
    }
}

impl Asker {
    /// One request for all strays of a kind.
    pub(super) async fn observe_strays(&self, targets: &[(&Target, &StraySpec)]) -> Result<Vec<Observed>, CallError> {
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let about = About { kind: targets[0].1.kind, resources: targets.iter().map(|(_, spec)| spec.id).collect() };
        let operation = operation_of(targets[0].1.kind);
        let named = targets.iter().map(|(target, spec)| Ok((*spec, self.named(target)?)));
        let named = named.collect::<Result<Vec<_>, CallError>>()?;
        let look =
            |state: &mut State| Ok(named.iter().map(|(spec, remote)| state.look_at_stray(spec, remote)).collect());
        self.request(operation, about, look).await
    }

    /// Takes it away.
    pub(super) async fn remove_stray(&self, target: &Target, spec: &StraySpec) -> Result<Observed, CallError> {
        let remote = self.named(target)?;
        let about = About::one(spec.kind, spec.id);
        match spec.kind {
            Kind::Machine => {
                self.request(Operation::TerminateMachine, about, |state| Ok(state.terminate(&remote))).await
            }
            Kind::Volume => {
                let operation = Operation::DeleteVolume;
                let delete =
                    |state: &mut State| state.delete_stray_volume(&remote).map_err(|why| self.refusal(operation, why));
                self.request(operation, about, delete).await
            }
            Kind::Key => {
                let look = |state: &mut State| Ok(state.look_at_stray(spec, &remote));
                match self.request(Operation::DescribeKey, about.clone(), look).await? {
                    Observed::Ready(found) => {
                        self.schedule_key_deletion(&about, &remote).await?;
                        Ok(Observed::Leaving(found))
                    }
                    other => Ok(other),
                }
            }
            Kind::Snapshot | Kind::Attachment => Ok(Observed::ABSENT),
        }
    }

    /// Writes tags.
    pub(super) async fn write_tags(&self, target: &Target) -> Result<Observed, CallError> {
        let remote = self.named(target)?;
        let about = About::one(target.spec.kind(), target.spec.id());
        let write = |state: &mut State| Ok(state.write_tags(&target.spec, &remote));
        if !self.request(Operation::WriteTags, about, write).await? {
            return Ok(Observed::ABSENT);
        }
        Ok(Observed::Pending(Found::new(remote)))
    }

    fn named(&self, target: &Target) -> Result<RemoteId, CallError> {
        target.remote.clone().ok_or_else(|| {
            let message = format!("{} {} has no name in the cloud", target.spec.kind(), target.spec.id());
            self.error(Operation::WriteTags, ErrorClass::Invalid, "Unnamed", &message)
        })
    }

    /// Switches a stray machine off or on.
    pub(super) async fn switch_stray(
        &self,
        target: &Target,
        spec: &StraySpec,
        power: crate::Power,
    ) -> Result<Observed, CallError> {
        let remote = self.named(target)?;
        let operation = match power {
            crate::Power::Running => Operation::StartMachine,
            crate::Power::Stopped => Operation::StopMachine,
        };
        let switch = |state: &mut State| state.switch(&remote, power).map_err(|why| self.refusal(operation, why));
        self.request(operation, About::one(Kind::Machine, spec.id), switch).await
    }
}

const fn operation_of(kind: Kind) -> Operation {
    match kind {
        Kind::Machine => Operation::DescribeMachines,
        Kind::Volume | Kind::Attachment | Kind::Snapshot => Operation::DescribeVolumes,
        Kind::Key => Operation::DescribeKey,
    }
}
