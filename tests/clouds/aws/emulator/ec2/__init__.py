"""EC2: which of its actions are ours. It owns the table of actions and the lock around each of them.

It must never pass an action about instances, volumes or snapshots on to moto, which has none of ours.
"""

from .. import render
from ..call import Call
from ..errors import AwsError, NotOwned
from ..world import World
from . import describe, disks, launch, lifecycle, modify, snapshots, tags
from .request import Request

_OURS = {
    "RunInstances": launch.run_instances,
    "StartInstances": lifecycle.start_instances,
    "StopInstances": lifecycle.stop_instances,
    "TerminateInstances": lifecycle.terminate_instances,
    "CreateVolume": disks.create_volume,
    "AttachVolume": disks.attach_volume,
    "DetachVolume": disks.detach_volume,
    "DeleteVolume": disks.delete_volume,
    "CreateSnapshot": snapshots.create_snapshot,
    "DeleteSnapshot": snapshots.delete_snapshot,
    "ModifyVolume": modify.modify_volume,
    "ModifyInstanceAttribute": modify.modify_instance_attribute,
    "DescribeSnapshots": snapshots.describe_snapshots,
    "DescribeVolumesModifications": modify.describe_volumes_modifications,
    "DescribeInstances": describe.describe_instances,
    "DescribeInstanceAttribute": describe.describe_instance_attribute,
    "DescribeInstanceStatus": describe.describe_instance_status,
    "DescribeVolumes": describe.describe_volumes,
    "DescribeImages": describe.describe_images,
    "CreateTags": tags.create_tags,
    "DeleteTags": tags.delete_tags,
    "DescribeTags": tags.describe_tags,
}
# About instances, volumes, snapshots or images, and not emulated. moto would answer from a world that is empty.
_ABSENT = frozenset(
    "RebootInstances ModifyVolumeAttribute DescribeVolumeAttribute DescribeVolumeStatus EnableVolumeIO "
    "CreateSnapshots CopySnapshot DescribeSnapshotAttribute ModifySnapshotAttribute ResetSnapshotAttribute "
    "ModifySnapshotTier DescribeSnapshotTierStatus LockSnapshot UnlockSnapshot ListSnapshotsInRecycleBin "
    "CreateImage RegisterImage CopyImage ModifyInstanceMetadataOptions ResetInstanceAttribute "
    "MonitorInstances UnmonitorInstances GetConsoleOutput GetPasswordData CreateFleet RequestSpotInstances RequestSpotFleet "
    "AssociateIamInstanceProfile ReplaceIamInstanceProfileAssociation CreateReplaceRootVolumeTask".split()
)


def answer(world: World, call: Call, request_id: str) -> bytes:
    act = _OURS.get(call.action)
    if act is None:
        if call.action in _ABSENT:
            raise AwsError("UnsupportedOperation", f"the emulator has no {call.action}")
        raise NotOwned
    with world.lock:
        request = Request(world, world.region(call.region), call, world.now())
        request.refuse_dry_run()
        return render.answer(call.action, request_id, act(request))
