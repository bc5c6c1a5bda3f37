"""The disks of a request for an instance: those that exist and those that are to be born. It owns their checks.

It must never put a disk into the world. That a disk in use is refused at once, with 400 resourceInUseByAnotherResource:
hashicorp/terraform issue 23698; a disk that is not there: arunoda/fastai-shell issue 5.
"""

import random

from .. import catalog, kms
from ..errors import ApiError, bad_request, in_use, invalid
from . import newborn, trouble
from .names import last, only_emulated, placed

_DISK = {
    "autoDelete",
    "boot",
    "deviceName",
    "diskEncryptionKey",
    "diskSizeGb",
    "initializeParams",
    "interface",
    "kind",
    "mode",
    "source",
    "type",
}
_PARAMS = {
    "description",
    "diskName",
    "diskSizeGb",
    "diskType",
    "labels",
    "provisionedIops",
    "provisionedThroughput",
    "sourceImage",
}


def users_of(zone, disk_body: dict) -> list:
    """(instance, mode) of those that hold it."""
    return [
        (shown.body["selfLink"], attached["mode"])
        for shown in zone.instances.values()
        for attached in shown.body.get("disks", [])
        if attached["source"] == disk_body["selfLink"]
    ]


def existing(zone, source: str, mode: str, machine: catalog.MachineType | None, field: str):
    """A disk of the zone that may be attached now, in that mode."""
    name = placed(source, zone, "disks", f"{field}.source")
    held = zone.disks.get(name)
    if held is None:
        raise invalid(
            f"Invalid value for field '{field}.source': '{source}'. The referenced disk resource cannot be found."
        )
    for user, how in users_of(zone, held.body):
        if mode == "READ_WRITE" or how == "READ_WRITE":
            raise in_use(held.body["selfLink"], user)
    if held.body["status"] != "READY":
        raise ApiError(400, "resourceNotReady", f"The resource '{held.body['selfLink']}' is not ready")
    newborn.fits(last(held.body["type"]), machine)
    return held


class Disk:
    """One entry of `disks`."""

    def __init__(self, world, call, wanted: dict, place: int, machine: catalog.MachineType):
        self.wanted, self.zone, self.field = wanted, call.zone, f"resource.disks[{place}]"
        self.boot, self.mode = bool(wanted.get("boot")), wanted.get("mode", "READ_WRITE")
        schemas = call.document.schemas
        only_emulated(wanted, schemas["AttachedDisk"], _DISK, self.field)
        self.key = newborn.key_of(wanted.get("diskEncryptionKey"), self.field)
        self.device = wanted.get("deviceName") or f"persistent-disk-{place}"
        self.source = None
        params = wanted.get("initializeParams")
        if bool(wanted.get("source")) == (params is not None):
            raise invalid(f"Invalid value for field '{self.field}': exactly one of source and initializeParams")
        if wanted.get("type", "PERSISTENT") != "PERSISTENT":
            raise ApiError(501, "notImplemented", f"'{self.field}.type': scratch disks are not emulated")
        if wanted.get("source"):
            self.source = existing(self.zone, wanted["source"], self.mode, machine, self.field)
            self.body = self.source.body
        else:
            only_emulated(params, schemas["AttachedDiskInitializeParams"], _PARAMS, f"{self.field}.initializeParams")
            self.body = self._newborn(call, params, machine)
        if self.boot and self.body.get("architecture", machine.arch) != machine.arch:
            raise bad_request(
                f"The architecture of the boot disk, {self.body['architecture']}, is not that of {machine.name}, {machine.arch}."
            )

    def _newborn(self, call, params: dict, machine: catalog.MachineType) -> dict:
        field, name = f"{self.field}.initializeParams", params.get("diskName")
        if name is None:
            name = call.body["name"] if self.boot else f"{call.body['name'][:50]}-{random.randrange(10**6)}"
        kind = newborn.type_of(self.zone, params.get("diskType"), f"{field}.diskType", machine)
        image = newborn.image_of(params.get("sourceImage"), f"{field}.sourceImage")
        size = newborn.size_of(
            params.get("diskSizeGb", self.wanted.get("diskSizeGb")), kind, image, f"{field}.diskSizeGb"
        )
        speed = newborn.speed_of(params, kind, size, field)
        return newborn.body(self.zone, name, kind, size, image, speed, params.get("labels", {}), field)

    @property
    def is_born(self) -> bool:
        return self.source is None

    def key_failure(self, world):
        """The newborn gets its key's version; an old one must still be readable by the version that it has."""
        if not self.is_born:
            return trouble.bad_disk_key(world, self.zone, self.body)
        if self.key is None:
            return None
        version, problem = kms.usable(world, self.key, self.zone.region)
        if problem is None:
            self.body["diskEncryptionKey"] = {"kmsKeyName": version}
        return trouble.bad_key(world, problem)

    def attached(self, index: int) -> dict:
        return attached(self.body, index, self.mode, self.device, self.boot, bool(self.wanted.get("autoDelete")))


def attached(disk: dict, index: int, mode: str, device: str, boot: bool, auto_delete: bool) -> dict:
    """As `disks` of an instance shows it."""
    shown = {
        "kind": "compute#attachedDisk",
        "type": "PERSISTENT",
        "mode": mode,
        "source": disk["selfLink"],
        "deviceName": device,
        "index": index,
        "boot": boot,
        "autoDelete": auto_delete,
        "interface": "NVME",
        "diskSizeGb": disk["sizeGb"],
    }
    for field in ("architecture", "diskEncryptionKey"):
        if disk.get(field):
            shown[field] = disk[field]
    return shown
