//! Starting, stopping and ending a machine.

use aws_sdk_ec2::types::{InstanceStateChange, InstanceStateName};

use super::{AwsProvider, error::code, error::refused, machine, name};
use crate::{CallError, Found, Observed, Power, RemoteId, Target};

impl AwsProvider {
    /// Starts or stops. What comes of it, and whether the key let it, only a later look can tell.
    pub(super) async fn switch(&self, target: &Target, power: Power) -> Result<Observed, CallError> {
        let Some(id) = self.live_machines(target).await?.into_iter().next() else { return Ok(Observed::ABSENT) };
        let what = name(&target.spec, Some(&RemoteId(id.clone())));
        let ec2 = self.clients(target.spec.region()).await.ec2;
        let changes = match power {
            Power::Running => match ec2.start_instances().instance_ids(&id).send().await {
                Ok(answer) => answer.starting_instances.unwrap_or_default(),
                Err(error) if code(&error) == Some("InvalidInstanceID.NotFound") => return Ok(Observed::ABSENT),
                Err(error) => return Err(refused("ec2:StartInstances", &what, &error)),
            },
            Power::Stopped => match ec2.stop_instances().instance_ids(&id).send().await {
                Ok(answer) => answer.stopping_instances.unwrap_or_default(),
                Err(error) if code(&error) == Some("InvalidInstanceID.NotFound") => return Ok(Observed::ABSENT),
                Err(error) => return Err(refused("ec2:StopInstances", &what, &error)),
            },
        };
        Ok(if is_gone(&changes) { Observed::ABSENT } else { Observed::Pending(Found::new(RemoteId(id))) })
    }

    /// Terminates; the root volume goes with it, the cache volume stays. After a lost reply all that carry the
    /// machine's tag go.
    pub(super) async fn terminate(&self, target: &Target) -> Result<Observed, CallError> {
        let ids = self.live_machines(target).await?;
        let Some(first) = ids.first().cloned() else { return Ok(Observed::ABSENT) };
        let what = name(&target.spec, Some(&RemoteId(first.clone())));
        let ec2 = self.clients(target.spec.region()).await.ec2;
        match ec2.terminate_instances().set_instance_ids(Some(ids)).send().await {
            Ok(answer) if is_gone(answer.terminating_instances()) => Ok(Observed::ABSENT),
            Ok(_) => Ok(Observed::Leaving(Found::new(RemoteId(first)))),
            Err(error) if code(&error) == Some("InvalidInstanceID.NotFound") => Ok(Observed::ABSENT),
            Err(error) => Err(refused("ec2:TerminateInstances", &what, &error)),
        }
    }

    /// The ids that a call about this machine concerns: the known one, or those that carry its tag and live.
    async fn live_machines(&self, target: &Target) -> Result<Vec<String>, CallError> {
        if let Some(remote) = &target.remote {
            return Ok(vec![remote.0.clone()]);
        }
        let tagged = self.instances_by_tag(target.spec.region(), vec![target.spec.id().to_string()]).await?;
        let live = tagged.iter().filter(|instance| machine::is_live(instance));
        Ok(live.filter_map(|instance| instance.instance_id().map(ToOwned::to_owned)).collect())
    }
}

/// Whether all of them are, or were already, terminated.
fn is_gone(changes: &[InstanceStateChange]) -> bool {
    let gone = |change: &InstanceStateChange| {
        let mut states = [change.previous_state(), change.current_state()].into_iter().flatten();
        states.any(|state| matches!(state.name(), Some(InstanceStateName::Terminated)))
    };
    !changes.is_empty() && changes.iter().all(gone)
}
