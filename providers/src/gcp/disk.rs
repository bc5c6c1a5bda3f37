//! Cache volumes: what their state means, and their end.

use google_cloud_compute_v1::model::{Disk, disk::Status};

use super::names::{self, Collection};
use super::{GcpProvider, error, labels, name, verify};
use crate::{CallError, ErrorClass, Found, Observed, RemoteId, Target, Token, Trouble, VolumeSpec};

impl GcpProvider {
    /// Deletes it. One that is attached is refused by Compute Engine, and is never detached from here.
    pub(super) async fn delete_disk(
        &self,
        token: &Token,
        target: &Target,
        remote: RemoteId,
    ) -> Result<Observed, CallError> {
        let call = "compute.disks.delete";
        let (zone, disk) = self.place_of(&remote)?;
        let what = name(&target.spec, Some(&remote));
        let request = (self.clients().await?.disks.delete())
            .set_project(&self.names.project)
            .set_zone(zone)
            .set_disk(disk)
            .set_request_id(token.as_str());
        match self.try_send(call, &what, request.send()).await? {
            Ok(operation) => match super::operation::trouble(&operation, &what) {
                Some(trouble) => Err(CallError { call: call.to_owned(), trouble, retry_after_ms: None }),
                None => Ok(Observed::Leaving(Found::new(remote))),
            },
            Err(error) if error::is_not_found(&error) => Ok(Observed::ABSENT),
            Err(error) => Err(error::refused(call, &what, &error)),
        }
    }

    /// The full name that a cache disk has.
    pub(super) fn disk_of(&self, spec: &VolumeSpec) -> RemoteId {
        self.names.remote(spec.placement.zone().name(), Collection::Disks, &self.names.cache(spec.id))
    }

    /// The facts of a disk.
    pub(super) fn found_disk(&self, disk: &Disk) -> Found {
        let zone = names::last(disk.zone.as_deref().unwrap_or_default());
        let remote = self.names.remote(zone, Collection::Disks, disk.name.as_deref().unwrap_or_default());
        let quarantined_until_ms = labels::quarantined_until(&disk.labels);
        Found { attached_to: self.holder(disk), quarantined_until_ms, ..Found::new(remote) }
    }

    /// The machine that it is attached to.
    fn holder(&self, disk: &Disk) -> Option<RemoteId> {
        let (zone, machine) = names::zone_and_name(disk.users.first()?)?;
        Some(self.names.remote(zone, Collection::Instances, machine))
    }

    /// Judges a disk.
    pub(super) fn judge_disk(&self, spec: &VolumeSpec, disk: Option<&Disk>) -> Observed {
        let Some(disk) = disk else { return Observed::ABSENT };
        let found = self.found_disk(disk);
        match &disk.status {
            Some(Status::Ready) => match verify::volume_trouble(&self.names.deployment, spec, disk) {
                Some(why) => Observed::Broken { found, why },
                None => Observed::Ready(found),
            },
            Some(Status::Deleting) => Observed::Leaving(found),
            Some(status @ (Status::Failed | Status::Unavailable)) => {
                let message = format!(
                    "cache disk {} is {status:?}: its data may be lost; look at it in the console",
                    found.remote
                );
                let why = Trouble { class: ErrorClass::Conflict, code: "DiskFailed".to_owned(), message };
                Observed::Broken { found, why }
            }
            _ => Observed::Pending(found),
        }
    }
}
