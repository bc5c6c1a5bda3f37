"""Disks on their own: disks.insert, resize, update and delete. It owns what a disk goes through that no instance makes.

Source: Compute Engine API reference, `disks.insert`, `disks.resize` ("You can only increase the size of the disk"),
`disks.update` ("only on selected fields included as part of update-mask"), `disks.delete`. That a disk which is being
deleted can be deleted once more, by an operation of its own, is assumed; so is that a disk's new size and speed are
there when the call returns, and how a smaller size is refused.
"""

from .. import kms
from ..errors import ApiError, in_use, invalid
from ..world import Shown, stamp
from . import birth, newborn, operations, trouble
from .names import check_name, find, last, only_emulated
from .request import users_of

_FIELDS = {
    "description",
    "diskEncryptionKey",
    "kind",
    "labels",
    "name",
    "physicalBlockSizeBytes",
    "provisionedIops",
    "provisionedThroughput",
    "sizeGb",
    "sourceImage",
    "type",
    "zone",
}
_UPDATED = {"sizeGb", "provisionedIops", "provisionedThroughput"}


def insert(world, call) -> Shown:
    zone, wanted, now = call.zone, call.body, world.now()
    only_emulated(wanted, call.document.schemas["Disk"], _FIELDS, "resource")
    check_name(wanted["name"], "resource.name")
    kind = newborn.type_of(zone, wanted.get("type"), "resource.type", None)
    image = newborn.image_of(call.query.get("sourceImage") or wanted.get("sourceImage"), "resource.sourceImage")
    size = newborn.size_of(wanted.get("sizeGb"), kind, image, "resource.sizeGb")
    speed = newborn.speed_of(wanted, kind, size, "resource")
    body = newborn.body(zone, wanted["name"], kind, size, image, speed, wanted.get("labels", {}), "resource")
    failure = None
    key = newborn.key_of(wanted.get("diskEncryptionKey"), "resource.diskEncryptionKey")
    if key is not None:
        version, problem = kms.usable(world, key, zone.region)
        failure = trouble.bad_key(world, problem)
        body["diskEncryptionKey"] = {"kmsKeyName": version or key}
    failure = failure or trouble.over_quota(world, zone, 0, size)
    operation = operations.begin(world, call, "insert", body["selfLink"], body["id"])
    body["creationTimestamp"] = stamp(now)
    disk = zone.disks[body["name"]] = Shown(now, body)
    disk.show(now)

    def end(at: float) -> None:
        operations.finish(operation, at, failure)
        if zone.disks.get(body["name"]) is disk and failure:
            birth.bury(zone, "disks", disk, at)
        elif zone.disks.get(body["name"]) is disk and body["status"] == "CREATING":
            body["status"] = "READY"
            disk.show(at)

    world.after(now + world.settings.settle, end)
    world.settle()
    return operation


def resize(world, call) -> Shown:
    disk = _ready(world, call)
    if "sizeGb" not in call.body:
        raise ApiError(400, "required", "Required field 'sizeGb' not specified")
    size = int(call.body["sizeGb"])
    failure = _check_larger(world, call, disk.body, size, "sizeGb")
    return _changed(world, call, disk, "resizeDisk", {"sizeGb": size}, failure)


def update(world, call) -> Shown:
    """gcloud names the fields in `paths`, once for each; `updateMask` has them in one."""
    disk = _ready(world, call)
    paths = {*call.query.get("paths", []), *filter(None, call.query.get("updateMask", "").split(","))}
    if not paths:
        raise ApiError(400, "required", "Required parameter: paths")
    if paths - _UPDATED:
        raise ApiError(501, "notImplemented", f"an update of {', '.join(sorted(paths - _UPDATED))} is not emulated")
    wanted = {**disk.body, **{path: call.body[path] for path in paths if path in call.body}}
    size = int(wanted["sizeGb"])
    failure = _check_larger(world, call, disk.body, size, "resource.sizeGb") if "sizeGb" in paths else None
    asked = {name: wanted[name] for name in ("provisionedIops", "provisionedThroughput") if name in wanted}
    speed = newborn.speed_of(asked, last(disk.body["type"]), size, "resource")
    return _changed(world, call, disk, "update", {"sizeGb": size, **speed}, failure)


def _ready(world, call) -> Shown:
    disk = find(world, call, "disks", "disk")
    if disk.body["status"] != "READY":
        raise ApiError(400, "resourceNotReady", f"The resource '{disk.body['selfLink']}' is not ready")
    return disk


def _check_larger(world, call, body: dict, size: int, field: str):
    """Larger than it is, not too large for its type, and within the quota: what the operation will say, or nothing."""
    before = int(body["sizeGb"])
    if size <= before:
        raise invalid(f"Invalid value for field '{field}': '{size}'. It must be larger than the current {before} GB")
    newborn.size_of(size, last(body["type"]), None, field)
    return trouble.over_quota(world, call.zone, 0, size - before)


def _changed(world, call, disk: Shown, kind: str, changes: dict, failure) -> Shown:
    body, now = disk.body, world.now()
    operation = operations.begin(world, call, kind, body["selfLink"], body["id"])
    if failure is None:
        body.update({name: str(value) for name, value in changes.items()})
        disk.show(now)
        _tell_holders(call.zone, body, now)
    operations.finish_later(world, operation, failure)
    return operation


def _tell_holders(zone, body: dict, now: float) -> None:
    """An instance that holds the disk shows its size too."""
    for instance in zone.instances.values():
        held = instance.body["disks"]
        if any(each["source"] == body["selfLink"] for each in held):
            instance.body["disks"] = [
                {**each, "diskSizeGb": body["sizeGb"]} if each["source"] == body["selfLink"] else each for each in held
            ]
            instance.show(now)


def delete(world, call) -> Shown:
    disk = find(world, call, "disks", "disk")
    zone, body, now = call.zone, disk.body, world.now()
    for user, _ in users_of(zone, body):
        raise in_use(body["selfLink"], user)
    operation = operations.begin(world, call, "delete", body["selfLink"], body["id"])
    body["status"] = "DELETING"
    disk.show(now)

    def end(at: float) -> None:
        operations.finish(operation, at)
        if zone.disks.get(body["name"]) is disk:
            birth.bury(zone, "disks", disk, at)

    world.after(now + world.settings.settle, end)
    world.settle()
    return operation
