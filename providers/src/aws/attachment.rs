//! The tie between a machine and a cache volume that existed before it.

use aws_sdk_ec2::types::{Volume, VolumeAttachmentState};

use super::{AwsProvider, CACHE_DEVICE, error::code, error::refused, name};
use crate::{AttachmentSpec, CallError, Found, Observed, RemoteId, Target};

impl AwsProvider {
    /// One `AttachVolume`. It takes no token; a volume has one machine at most, so a second call is refused, and then
    /// what there is decides.
    pub(super) async fn attach(&self, target: &Target, spec: &AttachmentSpec) -> Result<Observed, CallError> {
        let region = target.spec.region();
        let request = (self.clients(region).await.ec2.attach_volume())
            .device(CACHE_DEVICE)
            .instance_id(spec.machine.as_str())
            .volume_id(spec.volume.as_str());
        let error = match request.send().await {
            Ok(answer) => return Ok(state(spec, answer.state())),
            Err(error) => error,
        };
        let refusal = refused("ec2:AttachVolume", &name(&target.spec, Some(&spec.volume)), &error);
        match code(&error) {
            Some("VolumeInUse" | "InvalidDevice.InUse") => match self.observe_one(region, target).await? {
                Observed::Absent { .. } | Observed::Leaving(_) => Err(refusal),
                there @ (Observed::Pending(_) | Observed::Ready(_) | Observed::Broken { .. }) => Ok(there),
            },
            _ => Err(refusal),
        }
    }

    /// One `DetachVolume`, from this machine only.
    pub(super) async fn detach(&self, target: &Target, spec: &AttachmentSpec) -> Result<Observed, CallError> {
        let region = target.spec.region();
        let request = (self.clients(region).await.ec2.detach_volume())
            .instance_id(spec.machine.as_str())
            .volume_id(spec.volume.as_str());
        let error = match request.send().await {
            Ok(answer) => return Ok(state(spec, answer.state())),
            Err(error) => error,
        };
        let refusal = refused("ec2:DetachVolume", &name(&target.spec, Some(&spec.volume)), &error);
        match code(&error) {
            Some("InvalidVolume.NotFound" | "InvalidAttachment.NotFound") => Ok(Observed::ABSENT),
            // Not attached, attached elsewhere, or in the middle of something: the volume knows which.
            Some("IncorrectState" | "InvalidInstanceID.NotFound") => match self.observe_one(region, target).await? {
                gone @ (Observed::Absent { .. } | Observed::Leaving(_)) => Ok(gone),
                Observed::Pending(_) | Observed::Ready(_) | Observed::Broken { .. } => Err(refusal),
            },
            _ => Err(refusal),
        }
    }
}

fn found(spec: &AttachmentSpec) -> Found {
    let remote = RemoteId(format!("{}:{}", spec.volume, spec.machine));
    Found { cache: Some(spec.volume.clone()), attached_to: Some(spec.machine.clone()), ..Found::new(remote) }
}

fn state(spec: &AttachmentSpec, state: Option<&VolumeAttachmentState>) -> Observed {
    match state {
        Some(VolumeAttachmentState::Attached) => Observed::Ready(found(spec)),
        // `busy` is a detachment that waits for the machine to let go.
        Some(VolumeAttachmentState::Detaching | VolumeAttachmentState::Busy) => Observed::Leaving(found(spec)),
        Some(VolumeAttachmentState::Detached) => Observed::ABSENT,
        _ => Observed::Pending(found(spec)),
    }
}

/// Judges a tie by its volume. A volume that another machine holds is not tied to this one.
pub(super) fn judge(spec: &AttachmentSpec, volume: Option<&Volume>) -> Observed {
    let ties = volume.map(Volume::attachments).unwrap_or_default();
    let tie = ties.iter().find(|tie| tie.instance_id() == Some(spec.machine.as_str()));
    tie.map_or(Observed::ABSENT, |tie| state(spec, tie.state()))
}
