//! Cache volumes: which volume is one, what its state means, and its end.

use aws_sdk_ec2::types::{Volume, VolumeAttachment, VolumeAttachmentState, VolumeState};

use super::{AwsProvider, error::code, error::refused, name, tags, verify};
use crate::{CallError, ErrorClass, Found, Observed, RemoteId, Target, Trouble, VolumeSpec};

impl AwsProvider {
    /// Deletes it. One that is attached is refused by EC2 (`VolumeInUse`), and is never detached from here. After a
    /// lost reply all that carry the volume's tag go.
    pub(super) async fn delete_volume(&self, target: &Target) -> Result<Observed, CallError> {
        let region = target.spec.region();
        let ids = match &target.remote {
            Some(remote) => vec![remote.0.clone()],
            None => {
                let tagged = self.volumes_by_tag(region, vec![target.spec.id().to_string()]).await?;
                let root = self.root_device(region);
                let caches = tagged.iter().filter(|volume| !is_root(volume, root) && !is_gone(volume));
                caches.filter_map(|volume| volume.volume_id().map(ToOwned::to_owned)).collect()
            }
        };
        let ec2 = self.clients(region).await.ec2;
        let mut last = Observed::ABSENT;
        for id in ids {
            let remote = RemoteId(id);
            match ec2.delete_volume().volume_id(remote.as_str()).send().await {
                Ok(_) => last = Observed::Leaving(Found::new(remote)),
                Err(error) if code(&error) == Some("InvalidVolume.NotFound") => {}
                Err(error) => return Err(refused("ec2:DeleteVolume", &name(&target.spec, Some(&remote)), &error)),
            }
        }
        Ok(last)
    }
}

/// Whether it is the root volume of some machine. Root volumes carry the tags of the cache that was born with them, but
/// come from an image's snapshot, or are attached as the root device or so as to end with their machine; a cache is
/// blank, and stays.
pub(super) fn is_root(volume: &Volume, root_device: &str) -> bool {
    let as_root = |attachment: &VolumeAttachment| {
        attachment.delete_on_termination() == Some(true) || attachment.device() == Some(root_device)
    };
    volume.snapshot_id().is_some_and(|id| !id.is_empty()) || volume.attachments().iter().any(as_root)
}

/// Whether nothing is left but a shadow, or soon will be.
pub(super) fn is_gone(volume: &Volume) -> bool {
    matches!(volume.state(), Some(VolumeState::Deleted | VolumeState::Deleting))
}

/// The machine that it is attached to.
pub(super) fn attached_to(volume: &Volume) -> Option<RemoteId> {
    let holds = |attachment: &&VolumeAttachment| !matches!(attachment.state(), Some(VolumeAttachmentState::Detached));
    let holder = volume.attachments().iter().find(holds)?;
    holder.instance_id().map(RemoteId::from)
}

/// The facts of a volume.
pub(super) fn found(volume: &Volume) -> Found {
    let remote = RemoteId::from(volume.volume_id().unwrap_or_default());
    let quarantined_until_ms = tags::quarantined_until(tags::get(volume.tags(), tags::QUARANTINE));
    Found { attached_to: attached_to(volume), quarantined_until_ms, ..Found::new(remote) }
}

/// Judges the volumes that were found for a target: none, one, or (after lost replies) more.
pub(super) fn judge(deployment: &str, spec: &VolumeSpec, volumes: &[&Volume]) -> Observed {
    let there: Vec<&Volume> = volumes.iter().copied().filter(|volume| !is_gone(volume)).collect();
    let Some(volume) = there.first() else {
        let leaving = volumes.iter().find(|volume| matches!(volume.state(), Some(VolumeState::Deleting)));
        return leaving.map_or(Observed::ABSENT, |volume| Observed::Leaving(found(volume)));
    };
    let found = found(volume);
    if there.len() > 1 {
        let ids: Vec<&str> = there.iter().filter_map(|volume| volume.volume_id()).collect();
        let message = format!("{} volumes carry the tag of one cache: {}", ids.len(), ids.join(", "));
        return broken(found, "Duplicate", message);
    }
    match volume.state() {
        Some(VolumeState::Available | VolumeState::InUse) => match verify::volume_trouble(deployment, spec, volume) {
            Some(why) => Observed::Broken { found, why },
            None => Observed::Ready(found),
        },
        Some(VolumeState::Error) => {
            let message = format!(
                "cache volume {} is in state error: its data is lost, or its key {} could not be used",
                found.remote, spec.key
            );
            broken(found, "VolumeError", message)
        }
        _ => Observed::Pending(found),
    }
}

fn broken(found: Found, code: &str, message: String) -> Observed {
    Observed::Broken { found, why: Trouble { class: ErrorClass::Conflict, code: code.to_owned(), message } }
}
