"""What a disk may be: type, size, IOPS, throughput, encryption. It owns the limits, for RunInstances and CreateVolume.

It must never look at a key beyond asking `kms.usable`, and never refuse a call for a bad key: EC2 does not.

Limits: API_CreateVolume.html and API_EbsBlockDevice.html (gp3 to 80,000 IOPS, 2,000 MiB/s and 65,536 GiB). Ratios: "General
Purpose SSD volumes" (ebs/latest/userguide/general-purpose.html): 500 IOPS a GiB, 0.25 MiB/s an IOPS.
"""

import dataclasses

from .. import images
from ..errors import AwsError, bad_combination, bad_value, missing
from ..kms import usable
from .request import Request, truth, whole

_SIZES = {"gp2": (1, 16384), "gp3": (1, 65536), "io1": (4, 16384), "io2": (4, 65536),
          "st1": (125, 16384), "sc1": (125, 16384), "standard": (1, 1024)}  # fmt: skip
_IOPS = {"gp3": (3000, 80000), "io1": (100, 64000), "io2": (100, 256000)}
_IOPS_A_GIB = {"gp3": 500, "io1": 50, "io2": 1000}
_THROUGHPUT = (125, 2000)
_MIBPS_AN_IOPS = 0.25
_EBS_FIELDS = {
    "DeleteOnTermination",
    "Iops",
    "SnapshotId",
    "VolumeSize",
    "VolumeType",
    "KmsKeyId",
    "Throughput",
    "Encrypted",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Disk:
    """A valid disk. `key_fault`: the reason, code and message, why EC2 will find out later that the key is of no use."""

    kind: str
    size: int
    iops: int | None
    throughput: int | None
    encrypted: bool
    key: str | None
    key_fault: tuple[str, str] | None
    snapshot: str = ""
    device: str = ""
    delete_on_termination: bool = False


def of_launch(request: Request, architecture: str) -> list[Disk]:
    """The root disk of the image, as the mappings change it, and the others that they ask for."""
    asked: dict[str, dict] = {}
    for mapping in request.items("BlockDeviceMapping"):
        device, ebs = mapping.get("DeviceName"), mapping.get("Ebs")
        if not device:
            raise missing("deviceName")
        if not isinstance(ebs, dict) or set(mapping) - {"DeviceName", "Ebs"}:
            raise AwsError("UnsupportedOperation", f"the emulator maps EBS volumes only, not {sorted(mapping)}")
        if device in asked:
            raise AwsError(
                "InvalidBlockDeviceMapping", f"The device '{device}' is used in more than one block-device mapping"
            )
        asked[device] = ebs
    root = {"VolumeType": "gp3", **asked.pop(images.ROOT_DEVICE, {})}
    snapshot = images.snapshot_id(request.region.name, architecture)
    size = whole(root.setdefault("VolumeSize", str(images.ROOT_SIZE_GIB)), "volumeSize")
    if size < images.ROOT_SIZE_GIB:
        # errors-overview, InvalidBlockDeviceMapping; API_EbsBlockDevice: "equal to or larger than the snapshot size".
        text = f"Volume of size {size}GB is smaller than snapshot '{snapshot}', expect size >= {images.ROOT_SIZE_GIB}GB"
        raise AwsError("InvalidBlockDeviceMapping", text)
    disks = [_of_mapping(request, images.ROOT_DEVICE, root, snapshot)]
    return disks + [_of_mapping(request, device, ebs, "") for device, ebs in asked.items()]


def _of_mapping(request: Request, device: str, ebs: dict, snapshot: str) -> Disk:
    for name in ebs:
        if name not in _EBS_FIELDS:
            raise AwsError("UnknownParameter", f"The parameter Ebs.{name} is not recognized")
    if "SnapshotId" in ebs:
        raise AwsError("InvalidSnapshot.NotFound", f"The snapshot '{ebs['SnapshotId']}' does not exist.")
    disk = parse(request, {**ebs, "Size": ebs.get("VolumeSize")})
    keep = truth(ebs.get("DeleteOnTermination", "true"), "deleteOnTermination")
    return dataclasses.replace(disk, snapshot=snapshot, device=device, delete_on_termination=keep)


def parse(request: Request, given: dict) -> Disk:
    """Check one disk. `given` has Size, VolumeType, Iops, Throughput, Encrypted, KmsKeyId, as they were sent."""
    kind = given.get("VolumeType", "gp2")  # API_CreateVolume, VolumeType: "Default: gp2"
    if kind not in _SIZES:
        raise AwsError("UnknownVolumeType", f"Unsupported volume type '{kind}' for volume creation.")
    size = whole(given.get("Size"), "size")
    if size is None:
        raise missing("size or snapshotId")
    low, high = _SIZES[kind]
    if not low <= size <= high:
        raise bad_value(f"Volume of {size}GiB is invalid for {kind}; the size is {low} to {high} GiB.")
    iops = _iops(kind, size, given)
    throughput = _throughput(kind, iops, given)
    encrypted = truth(given.get("Encrypted", "false"), "encrypted")
    key, fault = _key(request, given.get("KmsKeyId"), encrypted)
    return Disk(kind, size, iops, throughput, encrypted, key, fault)


def _iops(kind: str, size: int, given: dict) -> int | None:
    iops = whole(given.get("Iops"), "iops")
    if kind not in _IOPS:
        if iops is not None:
            raise bad_combination(f"The parameter iops is not supported for {kind} volumes.")
        return max(100, min(16000, 3 * size)) if kind == "gp2" else None
    low, high = _IOPS[kind]
    if iops is None:
        if kind != "gp3":
            raise missing("iops")
        return low
    if not low <= iops <= high:
        raise bad_value(f"Volume iops of {iops} is invalid for {kind}; it is {low} to {high}.")
    ratio = _IOPS_A_GIB[kind]
    if iops > low and iops / size > ratio:
        raise bad_value(f"Iops to volume size ratio of {iops / size:f} is too high; maximum is {ratio} IOPS per GiB")
    return iops


def _throughput(kind: str, iops: int | None, given: dict) -> int | None:
    throughput = whole(given.get("Throughput"), "throughput")
    if kind != "gp3":
        if throughput is not None:
            raise bad_combination(f"The parameter throughput is not supported for {kind} volumes.")
        return None
    low, high = _THROUGHPUT
    if throughput is None:
        return low
    if not low <= throughput <= high:
        raise bad_value(f"Throughput of {throughput} MiB/s is invalid for gp3; it is {low} to {high}.")
    if throughput / iops > _MIBPS_AN_IOPS:
        text = f"Throughput (MiBps) to iops ratio of {throughput / iops:f} is too high; maximum is {_MIBPS_AN_IOPS:f}"
        raise bad_value(text + " MiBps per iops")
    return throughput


def _key(request: Request, named: str | None, encrypted: bool) -> tuple[str | None, tuple[str, str] | None]:
    """The key's ARN, and its fault. API_CreateVolume: "If KmsKeyId is specified, the encrypted state must be true";
    the code is InvalidParameterDependency (parsec-aws-automation issue 12, a RunInstances)."""
    if named is not None and not encrypted:
        raise AwsError(
            "InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set."
        )
    if not encrypted:
        return None, None
    if named is None:
        return usable.default_key(request.region.name), None
    return usable.examine(request.world, request.region, named)
