"""Disks on their own: disks.insert and disks.delete. It owns what a disk goes through that no instance makes.

Source: Compute Engine API reference, `disks.insert`, `disks.delete`. That a disk which is being deleted can be
deleted once more, by an operation of its own, is assumed.
"""

from .. import kms
from ..errors import in_use
from ..world import Shown, stamp
from . import birth, newborn, operations, trouble
from .names import check_name, find, only_emulated
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
