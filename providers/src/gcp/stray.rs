//! What carries our label and no record explains: looked at by its name alone, and taken away when the product says so.
//! And the labels of everything, written anew.
//!
//! Nothing here decides that a thing is a stray, or that it may go.

use google_cloud_compute_v1::model::{
    GlobalSetLabelsRequest, InstancesSetLabelsRequest, Operation, Snapshot, ZoneSetLabelsRequest, disk,
    instance::Status as Life,
};
use google_cloud_gax::error::Error;

use super::observe::View;
use super::{GcpProvider, error, labels, name, names, operation, unfit};
use crate::{CallError, ErrorClass, Found, Kind, Observed, Power, RemoteId, Spec, StraySpec, Target, Token};

impl GcpProvider {
    /// What a look shows of a stray. Snapshots and keys cost a call each.
    pub(super) async fn judge_stray(
        &self,
        target: &Target,
        spec: &StraySpec,
        view: Option<&View>,
    ) -> Result<Observed, CallError> {
        let remote = named(target)?;
        let last = names::last(remote.as_str());
        Ok(match spec.kind {
            Kind::Machine => match view.and_then(|view| view.instances.get(last)) {
                None => Observed::ABSENT,
                Some(instance) => match &instance.status {
                    Some(Life::Running) => Observed::Ready(self.found_machine(remote, instance, Some(Power::Running))),
                    Some(Life::Terminated | Life::Stopped) => {
                        Observed::Ready(self.found_machine(remote, instance, Some(Power::Stopped)))
                    }
                    Some(Life::Deprovisioning) => Observed::Leaving(self.found_machine(remote, instance, None)),
                    _ => Observed::Pending(self.found_machine(remote, instance, None)),
                },
            },
            Kind::Volume => match view.and_then(|view| view.disks.get(last)) {
                None => Observed::ABSENT,
                Some(found) if found.status == Some(disk::Status::Deleting) => {
                    Observed::Leaving(self.found_disk(found))
                }
                Some(found) => Observed::Ready(self.found_disk(found)),
            },
            Kind::Snapshot => match self.get_snapshot(target, remote).await? {
                None => Observed::ABSENT,
                Some(snapshot) => Observed::Ready(self.found_snapshot(&snapshot)),
            },
            Kind::Key => match self.get_key(remote).await? {
                None => Observed::ABSENT,
                Some(key) if key.labels.contains_key(labels::LEAVING) => Observed::Leaving(Found::new(remote.clone())),
                Some(key) => Observed::Ready(Found {
                    quarantined_until_ms: labels::quarantined_until(&key.labels),
                    ..Found::new(remote.clone())
                }),
            },
            Kind::Attachment => return Err(unfit("observe", Kind::Attachment)),
        })
    }

    /// Takes a stray away.
    pub(super) async fn remove_stray(
        &self,
        token: &Token,
        target: &Target,
        spec: &StraySpec,
    ) -> Result<Observed, CallError> {
        let remote = named(target)?.clone();
        match spec.kind {
            Kind::Machine => self.delete_machine(token, target, remote).await,
            Kind::Volume => self.delete_disk(token, target, remote).await,
            Kind::Snapshot => {
                let call = "compute.snapshots.delete";
                let what = name(&target.spec, Some(&remote));
                let request = (self.clients().await?.snapshots.delete())
                    .set_project(&self.names.project)
                    .set_snapshot(self.snapshot_named(&remote)?)
                    .set_request_id(token.as_str());
                match self.try_send(call, &what, request.send()).await? {
                    Ok(_) => Ok(Observed::Leaving(Found::new(remote))),
                    Err(error) if error::is_not_found(&error) => Ok(Observed::ABSENT),
                    Err(error) => Err(error::refused(call, &what, &error)),
                }
            }
            Kind::Key => self.destroy_key(remote).await,
            Kind::Attachment => Err(unfit("compute.instances.detachDisk", Kind::Attachment)),
        }
    }

    /// Writes labels: those of the specification, or the mark of a quarantine. Others stay.
    pub(super) async fn write_labels(&self, token: &Token, target: &Target) -> Result<Observed, CallError> {
        let remote = named(target)?;
        let what = name(&target.spec, Some(remote));
        let deployment = &self.names.deployment;
        let wanted = match &target.spec {
            Spec::Key(spec) => labels::of_key(deployment, spec),
            Spec::Machine(spec) => labels::of_machine(deployment, spec),
            Spec::Volume(spec) => labels::of_cache(deployment, spec),
            Spec::Stray(spec) => spec.quarantine_until_ms.map(labels::of_quarantine).unwrap_or_default(),
            Spec::Attachment(_) => return Err(unfit("compute.instances.setLabels", Kind::Attachment)),
        };
        if wanted.is_empty() {
            let message = format!("{what} has no deadline to be marked with");
            return Err(CallError::new("aim", ErrorClass::Invalid, "NoDeadline", message));
        }
        let (call, answer) = match target.spec.kind() {
            Kind::Machine => {
                let Some(instance) = self.get_machine(&what, remote).await? else { return Ok(Observed::ABSENT) };
                let (zone, machine) = self.place_of(remote)?;
                let body = InstancesSetLabelsRequest::new()
                    .set_labels(over(instance.labels, wanted))
                    .set_or_clear_label_fingerprint(instance.label_fingerprint);
                let request = (self.clients().await?.instances.set_labels())
                    .set_project(&self.names.project)
                    .set_zone(zone)
                    .set_instance(machine)
                    .set_request_id(token.as_str())
                    .set_body(body);
                let call = "compute.instances.setLabels";
                (call, self.try_send(call, &what, request.send()).await?)
            }
            Kind::Volume => {
                let (zone, disk) = self.place_of(remote)?;
                let disks = &self.clients().await?.disks;
                let request = disks.get().set_project(&self.names.project).set_zone(zone).set_disk(disk);
                let found = match self.try_send("compute.disks.get", &what, request.send()).await? {
                    Ok(found) => found,
                    Err(error) if error::is_not_found(&error) => return Ok(Observed::ABSENT),
                    Err(error) => return Err(error::refused("compute.disks.get", &what, &error)),
                };
                let body = ZoneSetLabelsRequest::new()
                    .set_labels(over(found.labels, wanted))
                    .set_or_clear_label_fingerprint(found.label_fingerprint);
                let request = (disks.set_labels())
                    .set_project(&self.names.project)
                    .set_zone(zone)
                    .set_resource(disk)
                    .set_request_id(token.as_str())
                    .set_body(body);
                let call = "compute.disks.setLabels";
                (call, self.try_send(call, &what, request.send()).await?)
            }
            Kind::Snapshot => {
                let Some(found) = self.get_snapshot(target, remote).await? else { return Ok(Observed::ABSENT) };
                let body = GlobalSetLabelsRequest::new()
                    .set_labels(over(found.labels, wanted))
                    .set_or_clear_label_fingerprint(found.label_fingerprint);
                let request = (self.clients().await?.snapshots.set_labels())
                    .set_project(&self.names.project)
                    .set_resource(self.snapshot_named(remote)?)
                    .set_body(body);
                let call = "compute.snapshots.setLabels";
                (call, self.try_send(call, &what, request.send()).await?)
            }
            Kind::Key => {
                let Some(key) = self.get_key(remote).await? else { return Ok(Observed::ABSENT) };
                let labels = over(key.labels.clone(), wanted);
                self.patch(remote, key.set_labels(labels), &["labels"]).await?;
                return self.observe_one(target.spec.region(), target).await;
            }
            Kind::Attachment => return Err(unfit("compute.instances.setLabels", Kind::Attachment)),
        };
        labelled(call, &what, remote, answer)
    }

    async fn get_snapshot(&self, target: &Target, remote: &RemoteId) -> Result<Option<Snapshot>, CallError> {
        let call = "compute.snapshots.get";
        let what = name(&target.spec, Some(remote));
        let request = self.clients().await?.snapshots.get().set_project(&self.names.project);
        match self.try_send(call, &what, request.set_snapshot(self.snapshot_named(remote)?).send()).await? {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(error) if error::is_not_found(&error) => Ok(None),
            Err(error) => Err(error::refused(call, &what, &error)),
        }
    }

    fn snapshot_named<'a>(&self, remote: &'a RemoteId) -> Result<&'a str, CallError> {
        names::snapshot(&self.names.project, remote).ok_or_else(|| {
            let message = format!("{remote} is no snapshot of project {}", self.names.project);
            CallError::new("aim", ErrorClass::Invalid, "WrongName", message)
        })
    }

    /// The facts of a snapshot.
    pub(super) fn found_snapshot(&self, snapshot: &Snapshot) -> Found {
        let remote = self.names.snapshot(snapshot.name.as_deref().unwrap_or_default());
        Found { quarantined_until_ms: labels::quarantined_until(&snapshot.labels), ..Found::new(remote) }
    }
}

/// What the answer to a change of labels says. The change is an operation, so only a later look shows it.
fn labelled(
    call: &str,
    what: &str,
    remote: &RemoteId,
    answer: Result<Operation, Error>,
) -> Result<Observed, CallError> {
    match answer {
        Ok(answer) => match operation::trouble(&answer, what) {
            Some(trouble) => Err(CallError { call: call.to_owned(), trouble, retry_after_ms: None }),
            None => Ok(Observed::Pending(Found::new(remote.clone()))),
        },
        Err(error) if error::is_not_found(&error) => Ok(Observed::ABSENT),
        Err(error) => Err(error::refused(call, what, &error)),
    }
}

fn over(mut labels: labels::Labels, wanted: labels::Labels) -> labels::Labels {
    labels.extend(wanted);
    labels
}

/// The cloud's name for the target, without which nothing can be said of it.
fn named(target: &Target) -> Result<&RemoteId, CallError> {
    let unnamed = || {
        let message = format!("{} is known by the cloud's name alone, and has none", name(&target.spec, None));
        CallError::new("aim", ErrorClass::Invalid, "Unnamed", message)
    };
    target.remote.as_ref().ok_or_else(unnamed)
}
