"""ModifyVolume, DescribeVolumesModifications, ModifyInstanceAttribute: what is changed about a thing that stays. It
owns those checks, and the course of a volume's modification.

It must never make a volume smaller, nor change a machine that is not stopped.

"Monitor the progress of volume modifications" (ebs/latest/userguide/monitoring-volume-modifications.html): modifying,
optimizing, completed; "size increases take effect once the volume modification reaches the optimizing state".
Performance takes longer there; here it comes with the size.
"""

import dataclasses

from .. import machines, render
from ..errors import AwsError, bad_value, missing
from . import devices, filters, find
from .devices import Disk
from .request import Request, instance_id, volume_id
from .volume import Volume

_DAY = 86400
_A_DAY = 4  # API_ModifyVolume: "up to four times within a rolling 24-hour period"
_PROVISIONED = ("gp3", "io1", "io2")
_FILTERS = {
    "volume-id": lambda volume, m: (volume.id,),
    "modification-state": lambda volume, m: (m["modificationState"],),
    "start-time": lambda volume, m: (m["startTime"],),
    **{
        name: lambda volume, m, field=field: () if m[field] is None else (str(m[field]),)
        for name, field in (
            ("original-size", "originalSize"), ("original-iops", "originalIops"), ("target-size", "targetSize"),
            ("original-volume-type", "originalVolumeType"), ("target-iops", "targetIops"),
            ("target-volume-type", "targetVolumeType"),
        )
    },
}  # fmt: skip
_NOT_EMULATED = (
    "SourceDestCheck", "EnclaveOptions", "DisableApiStop", "BlockDeviceMapping", "DisableApiTermination", "Kernel",
    "Ramdisk", "UserData", "InstanceInitiatedShutdownBehavior", "GroupId", "EbsOptimized", "SriovNetSupport",
    "EnaSupport",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Modification:
    """One change of a volume. Its state follows from the time alone: nothing can stop it."""

    original: Disk
    target: Disk
    since: float
    takes_effect_at: float
    ends_at: float

    def state(self, now: float) -> str:
        if now < self.takes_effect_at:
            return "modifying"
        return "optimizing" if now < self.ends_at else "completed"

    def described(self, volume_id: str, now: float) -> dict:
        """API_VolumeModification."""
        state = self.state(now)
        found = {"volumeId": volume_id, "modificationState": state, "startTime": render.stamp(self.since),
                 "progress": {"modifying": 0, "optimizing": 50, "completed": 100}[state],
                 "endTime": render.stamp(self.ends_at) if state == "completed" else None}  # fmt: skip
        for which, disk in (("target", self.target), ("original", self.original)):
            found.update({
                f"{which}Size": disk.size, f"{which}Iops": disk.iops, f"{which}VolumeType": disk.kind,
                f"{which}Throughput": disk.throughput, f"{which}MultiAttachEnabled": False,
            })  # fmt: skip
        return found


def modify_volume(request: Request) -> dict:
    request.know_only("VolumeId", "Size", "VolumeType", "Iops", "Throughput")
    volume = find.volume(request, request.needed("VolumeId"))
    if not any(name in request.params for name in ("Size", "VolumeType", "Iops", "Throughput")):
        raise missing("size, volumeType, iops or throughput")
    if volume.status not in ("available", "in-use"):
        raise AwsError("IncorrectState", f"Volume '{volume.id}' is in the '{volume.status}' state.")
    _check_rate(request, volume)
    target = _target(request, volume.disk)
    middle = request.now + request.world.settings.settle / 2
    change = Modification(volume.disk, target, request.now, middle, request.settle_at)
    volume.begin_growing(change)
    return {"volumeModification": change.described(volume.id, request.now)}


def _check_rate(request: Request, volume: Volume) -> None:
    """API_ModifyVolume: "you must wait for that modification to reach the completed state". errors-overview has
    IncorrectModificationState; an article of AWS re:Post on EBS storage in EKS quotes VolumeModificationRateExceeded."""
    changes = volume.modifications
    if changes and changes[-1].state(request.now) != "completed":
        state = changes[-1].state(request.now).upper()
        text = f"Volume '{volume.id}' cannot be modified in modification state {state}"
        raise AwsError("IncorrectModificationState", text)
    if sum(change.since > request.now - _DAY for change in changes) >= _A_DAY:
        text = "You've reached the maximum modification rate per volume limit."
        raise AwsError("VolumeModificationRateExceeded", text)


def _target(request: Request, disk: Disk) -> Disk:
    """The disk as it is to be. API_ModifyVolume has what holds when a value is not given: the existing one, or the
    default of another type."""
    kind = request.text("VolumeType", disk.kind)
    given: dict = {"VolumeType": kind, "Size": request.text("Size", disk.size)}
    if kind in _PROVISIONED:
        given["Iops"] = disk.iops if kind == disk.kind else 3000
    if kind == disk.kind == "gp3":
        given["Throughput"] = disk.throughput
    given.update({name: request.params[name] for name in ("Iops", "Throughput") if name in request.params})
    found = devices.parse(request, given)
    if found.size < disk.size:
        raise bad_value("New size cannot be smaller than existing size")
    return dataclasses.replace(disk, kind=kind, size=found.size, iops=found.iops, throughput=found.throughput)


def describe_volumes_modifications(request: Request) -> dict:
    """The newest modification of each volume. InvalidVolumeModification.NotFound, of one that is named and was never
    modified, is known from its callers: libopenstorage/cloudops, aws/aws.go."""
    request.know_only("VolumeId", "Filter", "MaxResults", "NextToken", "IncludeManagedResources")
    ids = [volume_id(each) for each in dict.fromkeys(request.items("VolumeId"))]
    volumes = [find.volume(request, each) for each in ids] or list(request.region.volumes.values())
    for volume in volumes:
        if ids and not volume.modifications:
            text = f"Modification for volume '{volume.id}' does not exist."
            raise AwsError("InvalidVolumeModification.NotFound", text)
    changed = [each for each in volumes if each.modifications and each.status != "gone"]
    rows = [(each, each.modifications[-1].described(each.id, request.now)) for each in changed]
    tests = filters.parse(request, _FILTERS)
    shown, after = filters.page(request, [row for row in rows if all(test(*row) for test in tests)], bool(ids))
    return {"volumeModificationSet": [change for _, change in shown], "nextToken": after}


def modify_instance_attribute(request: Request) -> dict:
    """API_ModifyInstanceAttribute, InstanceType: "Changes the instance type to the specified value", of a stopped
    instance ("To modify some attributes, the instance must be stopped"); "if the instance type is not valid, the error
    returned is InvalidInstanceAttributeValue". No other attribute is emulated."""
    request.know_only("InstanceId", "Attribute", "Value", "InstanceType", *_NOT_EMULATED)
    instance = find.instances(request, [instance_id(request.needed("InstanceId"))])[0]
    machine = _machine_asked(request)
    if instance.state != "stopped":
        raise AwsError("IncorrectInstanceState", f"The instance '{instance.id}' is not in the 'stopped' state.")
    try:
        machines.check(machine, instance.launch.architecture, request.region.name, instance.zone)
    except AwsError as error:
        if error.code == "InvalidParameterValue":
            raise AwsError("InvalidInstanceAttributeValue", error.message) from None
        raise
    instance.launch = dataclasses.replace(instance.launch, machine=machine)
    instance.remember(request.now)
    return {"return": True}


def _machine_asked(request: Request) -> str:
    """`InstanceType.Value=x`, or `Attribute=instanceType` with `Value=x`: both forms are the API's."""
    unknown = [name for name in _NOT_EMULATED if name in request.params]
    attribute = request.text("Attribute")
    if unknown or attribute not in (None, "instanceType"):
        what = attribute if attribute not in (None, "instanceType") else unknown[0]
        raise AwsError("UnsupportedOperation", f"the emulator modifies no {what} of an instance")
    given = request.params.get("InstanceType")
    machine = given.get("Value") if isinstance(given, dict) else request.text("Value") if attribute else None
    if not machine:
        raise missing("instanceType")
    return machine
