//! What carries our tag and no record explains: looked at by its name alone, and taken away when the product says so.
//! And the tags of everything, written anew.
//!
//! Nothing here decides that a thing is a stray, or that it may go.

use aws_sdk_ec2::types::{Instance, InstanceStateName, Snapshot, Tag, Volume};
use regions::Region;

use super::observe::filter;
use super::{AwsProvider, error::code, error::refused, key, machine, name, strays, tags, unfit, volume};
use crate::{CallError, ErrorClass, Found, Kind, Observed, Power, RemoteId, Spec, StraySpec, Target};

impl AwsProvider {
    /// The snapshots among the targets: one `DescribeSnapshots`, none where there are none.
    pub(super) async fn snapshots_of(&self, region: Region, targets: &[Target]) -> Result<Vec<Snapshot>, CallError> {
        let wanted = targets.iter().filter(|target| target.spec.kind() == Kind::Snapshot);
        let ids: Vec<String> = wanted.filter_map(|target| target.remote.clone()).map(|remote| remote.0).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let request = self.clients(region).await.ec2.describe_snapshots().owner_ids("self");
        // A filter of 200 values at most; more strays than that are not looked at in one call.
        let mut found = Vec::new();
        for ids in ids.chunks(200) {
            let answer = request.clone().filters(filter("snapshot-id", ids)).send().await;
            let what = format!("snapshots in {}", region.name());
            let answer = answer.map_err(|error| refused("ec2:DescribeSnapshots", &what, &error))?;
            found.extend(answer.snapshots.unwrap_or_default());
        }
        Ok(found)
    }

    /// What a look shows of a stray.
    pub(super) async fn judge_stray(
        &self,
        target: &Target,
        spec: &StraySpec,
        instances: &[Instance],
        volumes: &[Volume],
        snapshots: &[Snapshot],
    ) -> Result<Observed, CallError> {
        let remote = named(target)?;
        Ok(match spec.kind {
            Kind::Machine => {
                let instance = instances.iter().find(|instance| instance.instance_id() == Some(remote.as_str()));
                instance.map_or(Observed::ABSENT, |instance| match machine::state(instance) {
                    Some(InstanceStateName::Terminated) => Observed::ABSENT,
                    Some(InstanceStateName::ShuttingDown) => Observed::Leaving(machine::found(instance, None)),
                    Some(InstanceStateName::Running) => Observed::Ready(machine::found(instance, Some(Power::Running))),
                    Some(InstanceStateName::Stopped) => Observed::Ready(machine::found(instance, Some(Power::Stopped))),
                    _ => Observed::Pending(machine::found(instance, None)),
                })
            }
            Kind::Volume => {
                let volume = volumes.iter().find(|volume| volume.volume_id() == Some(remote.as_str()));
                match volume {
                    None => Observed::ABSENT,
                    Some(volume) if volume::is_gone(volume) => Observed::Leaving(volume::found(volume)),
                    Some(volume) => Observed::Ready(volume::found(volume)),
                }
            }
            Kind::Snapshot => {
                let snapshot = snapshots.iter().find(|snapshot| snapshot.snapshot_id() == Some(remote.as_str()));
                snapshot.map_or(Observed::ABSENT, |snapshot| Observed::Ready(found_snapshot(snapshot)))
            }
            Kind::Key => {
                let kms = self.clients(spec.region).await;
                match key::describe(&kms, remote.as_str()).await? {
                    None => Observed::ABSENT,
                    Some(found) if key::is_dying(&found) => Observed::Leaving(Found::new(remote.clone())),
                    Some(found) => {
                        let tags = strays::key_tags(&kms, found.key_id()).await?.unwrap_or_default();
                        let until = tags::quarantined_until(tags::get_of_key(&tags, tags::QUARANTINE));
                        Observed::Ready(Found { quarantined_until_ms: until, ..Found::new(remote.clone()) })
                    }
                }
            }
            Kind::Attachment => return Err(unfit("observe", Kind::Attachment)),
        })
    }

    /// Takes a stray away.
    pub(super) async fn remove_stray(&self, target: &Target, spec: &StraySpec) -> Result<Observed, CallError> {
        let remote = named(target)?;
        match spec.kind {
            Kind::Machine => self.terminate(target).await,
            Kind::Volume => self.delete_volume(target).await,
            Kind::Snapshot => {
                let request = self.clients(spec.region).await.ec2.delete_snapshot().snapshot_id(remote.as_str());
                match request.send().await {
                    Ok(_) => Ok(Observed::Leaving(Found::new(remote.clone()))),
                    Err(error) if code(&error) == Some("InvalidSnapshot.NotFound") => Ok(Observed::ABSENT),
                    Err(error) => Err(refused("ec2:DeleteSnapshot", &name(&target.spec, Some(remote)), &error)),
                }
            }
            Kind::Key => {
                let kms = self.clients(spec.region).await;
                let Some(found) = key::describe(&kms, remote.as_str()).await? else { return Ok(Observed::ABSENT) };
                if !key::is_dying(&found) {
                    self.schedule_deletion(&kms, remote).await?;
                }
                Ok(Observed::Leaving(Found::new(remote.clone())))
            }
            Kind::Attachment => Err(unfit("ec2:DetachVolume", Kind::Attachment)),
        }
    }

    /// Writes tags: those of the specification, or the mark of a quarantine.
    pub(super) async fn write_tags(&self, target: &Target) -> Result<Observed, CallError> {
        let remote = named(target)?;
        let pairs = match &target.spec {
            Spec::Key(spec) => tags::of_key(&self.deployment, spec),
            Spec::Machine(spec) => tags::of_machine(&self.deployment, spec),
            Spec::Volume(spec) => tags::of_cache(&self.deployment, spec),
            Spec::Stray(spec) => spec.quarantine_until_ms.and_then(tags::of_quarantine).into_iter().collect(),
            Spec::Attachment(_) => return Err(unfit("ec2:CreateTags", Kind::Attachment)),
        };
        if pairs.is_empty() {
            let message = format!("{} has no deadline to be marked with", name(&target.spec, Some(remote)));
            return Err(CallError::new("ec2:CreateTags", ErrorClass::Invalid, "NoDeadline", message));
        }
        let region = target.spec.region();
        let clients = self.clients(region).await;
        let what = name(&target.spec, Some(remote));
        if target.spec.kind() == Kind::Key {
            let pairs = key::key_tags("kms:TagResource", &pairs)?;
            let request = clients.kms.tag_resource().key_id(key::bare_id(remote)).set_tags(Some(pairs));
            match request.send().await {
                Ok(_) => {}
                Err(error) if code(&error) == Some("NotFoundException") => return Ok(Observed::ABSENT),
                Err(error) => return Err(refused("kms:TagResource", &what, &error)),
            }
        } else {
            let pairs = pairs.iter().map(|(key, value)| Tag::builder().key(*key).value(value).build()).collect();
            let request = clients.ec2.create_tags().resources(remote.as_str()).set_tags(Some(pairs));
            match request.send().await {
                Ok(_) => {}
                Err(error) if code(&error).is_some_and(|code| code.ends_with(".NotFound")) => {
                    return Ok(Observed::ABSENT);
                }
                Err(error) => return Err(refused("ec2:CreateTags", &what, &error)),
            }
        }
        self.observe_one(region, target).await
    }
}

/// The cloud's name for the target, without which nothing can be said of it.
fn named(target: &Target) -> Result<&RemoteId, CallError> {
    let unnamed = || {
        let message = format!("{} is known by the cloud's name alone, and has none", name(&target.spec, None));
        CallError::new("aim", ErrorClass::Invalid, "Unnamed", message)
    };
    target.remote.as_ref().ok_or_else(unnamed)
}

/// The facts of a snapshot.
pub(super) fn found_snapshot(snapshot: &Snapshot) -> Found {
    let until = tags::quarantined_until(tags::get(snapshot.tags(), tags::QUARANTINE));
    let remote = RemoteId::from(snapshot.snapshot_id().unwrap_or_default());
    Found { quarantined_until_ms: until, ..Found::new(remote) }
}
