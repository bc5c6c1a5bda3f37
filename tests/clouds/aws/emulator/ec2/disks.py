"""CreateVolume, AttachVolume, DetachVolume, DeleteVolume: what may be done to a volume in which state. It owns those rules.

It must never let a volume have two attachments, or one in another zone.

errors-overview: IncorrectState, VolumeInUse, InvalidVolume.ZoneMismatch, InvalidAttachment.NotFound, VolumeLimitExceeded,
OperationNotPermitted. Statuses are 400, as client errors are.
"""

from .. import images
from ..errors import AwsError, bad_value, missing
from ..kms import usable
from . import devices, find, network, tags, tokens
from .instance import Instance
from .launch import live_volumes
from .request import Request, instance_id
from .volume import Attachment, Shown, Volume


def create_volume(request: Request) -> dict:
    request.know_only("AvailabilityZone", "Size", "VolumeType", "Iops", "Throughput", "Encrypted", "KmsKeyId", "ClientToken",
                      "TagSpecification", "MultiAttachEnabled")  # fmt: skip
    zone = request.needed("AvailabilityZone")
    network.check_zone(request.region.name, zone)
    made = tokens.replayed(request, None)
    if made is not None:
        return made.described(made.shown)
    disk = devices.parse(request, request.params)
    wanted = tags.of_creation(request, "volume")["volume"]
    limit = request.world.settings.max_volumes
    if limit is not None and live_volumes(request) >= limit:
        raise AwsError("VolumeLimitExceeded", f"You have exceeded your maximum volume limit of {limit}.")
    number = request.world.next_number()
    volume = Volume(request.region, zone, disk, wanted, number, request.now, Shown("creating"))
    volume.token = request.text("ClientToken")
    request.region.volumes[volume.id] = volume
    # API_CreateVolume, KmsKeyId: "the action can appear to complete, but eventually fails". Seen: the volume is "creating",
    # then InvalidVolume.NotFound (aws-sdk-ruby issue 1222, aws-cli issue 2604, kubernetes pull request 65223).
    volume.after(request.settle_at, volume.become_gone if disk.key_fault else volume.become_available)
    tokens.remember(request, None, volume)
    return volume.described(volume.shown)


def attach_volume(request: Request) -> dict:
    request.know_only("VolumeId", "InstanceId", "Device")
    volume = find.volume(request, request.needed("VolumeId"))
    instance = find.instances(request, [instance_id(request.needed("InstanceId"))])[0]
    device = request.needed("Device")
    if volume.attachment is not None:
        text = f"{volume.id} is already attached to an instance"
        raise AwsError("VolumeInUse", text)
    if volume.status != "available":
        raise AwsError("IncorrectState", f"{volume.id} is not 'available'.")
    if instance.state not in ("running", "stopped"):
        raise AwsError("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
    if volume.zone != instance.zone:
        text = f"The volume '{volume.id}' is not in the same availability zone as instance '{instance.id}'"
        raise AwsError("InvalidVolume.ZoneMismatch", text)
    if any(other.attachment.device == device for other in instance.volumes()):
        raise bad_value(f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use")
    attachment = Attachment(instance.id, device, request.now, delete_on_termination=False)
    volume.begin_attaching(attachment, request.now)
    # KMS developer guide, "How unusable KMS keys affect data keys": with an unusable key the attachment fails, later.
    fault = usable.fault_of_volume(request.world, request.region, volume)
    volume.after(request.settle_at, volume.become_available if fault else volume.become_attached)
    return _attachment(volume)


def detach_volume(request: Request) -> dict:
    request.know_only("VolumeId", "InstanceId", "Device", "Force")
    volume = find.volume(request, request.needed("VolumeId"))
    attachment = volume.attachment
    if attachment is None:
        raise AwsError("IncorrectState", f"Volume '{volume.id}' is in the '{volume.status}' state.")
    for name, actual in (("InstanceId", attachment.instance_id), ("Device", attachment.device)):
        if request.text(name, actual) != actual:
            raise AwsError(
                "InvalidAttachment.NotFound", f"Volume '{volume.id}' is not attached to {request.text(name)}."
            )
    if attachment.state != "attached":
        raise AwsError("IncorrectState", f"Volume '{volume.id}' is in the '{attachment.state}' state.")
    instance: Instance = request.region.instances[attachment.instance_id]
    if attachment.device == images.ROOT_DEVICE and instance.state != "stopped":
        raise AwsError(
            "OperationNotPermitted", f"Unable to detach root volume '{volume.id}' from instance '{instance.id}'"
        )
    volume.begin_detaching(request.now)
    volume.after(request.settle_at, volume.become_available)
    return _attachment(volume)


def _attachment(volume: Volume) -> dict:
    return volume.attachment.in_volume(volume.id)


def delete_volume(request: Request) -> dict:
    """API_DeleteVolume: "The volume must be in the available state (not attached to an instance)"."""
    request.know_only("VolumeId")
    if not request.text("VolumeId"):
        raise missing("volumeId")
    volume = find.volume(request, request.text("VolumeId"))
    if volume.attachment is not None:
        raise AwsError("VolumeInUse", f"Volume {volume.id} is currently attached to {volume.attachment.instance_id}")
    if volume.status == "deleting":
        raise AwsError("InvalidVolume.NotFound", f"The volume '{volume.id}' does not exist.")
    if volume.status != "available":
        raise AwsError("IncorrectState", f"Volume '{volume.id}' is in the '{volume.status}' state.")
    volume.begin_deleting(request.now)
    volume.after(request.settle_at, volume.become_gone)
    return {"return": True}
