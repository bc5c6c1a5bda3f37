"""Snapshots: snapshots.insert, disks.createSnapshot, snapshots.delete. It owns what a snapshot is made of and goes
through.

It must never change with its disk, nor go with it. Sources: Compute Engine API reference, `snapshots.insert` (an
operation of the project), `disks.createSnapshot` (one of the zone), the Snapshot resource; "About disk snapshots",
storage location (by default the multi-region nearest to the disk). That a snapshot without a key of its own has the key
of its disk: velero-io/velero issue 6982. Assumed: that another key may be named, the refusals of a wrong storage
location and of a wrong key of the source disk, and that a snapshot which is being deleted can be deleted again.
"""

import re

from .. import catalog, kms
from ..errors import ApiError, already_exists, invalid, not_found
from ..world import Shown, new_number, stamp
from . import birth, newborn, operations, trouble
from .names import check_labels, check_name, find, fingerprint, last, only_emulated

_FIELDS = {
    "description",
    "guestFlush",
    "labelFingerprint",
    "labels",
    "name",
    "snapshotEncryptionKey",
    "snapshotType",
    "sourceDisk",
    "sourceDiskEncryptionKey",
    "storageLocations",
}
_DISK = re.compile(r"(?:https?://[^/]+/compute/v1/)?(?:projects/([^/]+)/)?zones/([^/]+)/disks/([^/]+)")
_MULTI_REGIONS = {"us": "us", "northamerica": "us", "europe": "eu", "asia": "asia"}


def insert(world, call) -> Shown:
    reference = call.body.get("sourceDisk") or ""
    found = _DISK.fullmatch(reference)
    if not found:
        raise invalid(f"Invalid value for field 'resource.sourceDisk': '{reference}'. The URL is malformed.")
    project, zone_name, name = found.groups()
    if project not in (None, catalog.PROJECT, catalog.PROJECT_NUMBER):
        raise ApiError(403, "forbidden", f"Required permission for 'projects/{project}'")
    zone = world.zone(zone_name)
    disk = zone.disks.get(name) if zone else None
    if disk is None:
        raise not_found(f"projects/{catalog.PROJECT}/zones/{zone_name}/disks/{name}")
    return _begin(world, call, zone, disk, "insert")


def of_disk(world, call) -> Shown:
    disk = find(world, call, "disks", "disk")
    named = call.body.get("sourceDisk")
    if named and last(named) != disk.body["name"]:
        raise invalid(f"Invalid value for field 'resource.sourceDisk': '{named}'. It is not the disk of the request.")
    return _begin(world, call, call.zone, disk, "createSnapshot")


def _begin(world, call, zone, disk: Shown, kind: str) -> Shown:
    wanted, now, globe = call.body, world.now(), world.globe
    only_emulated(wanted, call.document.schemas["Snapshot"], _FIELDS, "resource")
    name = check_name(wanted["name"], "resource.name")
    if name in globe.snapshots:
        raise already_exists(f"projects/{catalog.PROJECT}/global/snapshots/{name}")
    if disk.body["status"] != "READY":
        raise ApiError(400, "resourceNotReady", f"The resource '{disk.body['selfLink']}' is not ready")
    body = _body(globe, zone, disk.body, wanted, now)
    failure = _encrypt(world, zone, disk.body, wanted, body)
    target = disk.body if kind == "createSnapshot" else body
    operation = operations.begin(world, call, kind, target["selfLink"], target["id"])
    snapshot = globe.snapshots[name] = Shown(now, body)
    snapshot.show(now)
    _plan(world, snapshot, operation, failure)
    return operation


def _body(globe, zone, disk: dict, wanted: dict, now: float) -> dict:
    body = {
        "kind": "compute#snapshot",
        "id": new_number(),
        "name": wanted["name"],
        "creationTimestamp": stamp(now),
        "status": "CREATING",
        "sourceDisk": disk["selfLink"],
        "sourceDiskId": disk["id"],
        "diskSizeGb": disk["sizeGb"],
        "storageBytes": "0",
        "snapshotType": wanted.get("snapshotType", "STANDARD"),
        "storageLocations": _locations(zone, wanted.get("storageLocations", [])),
        "labels": check_labels(wanted.get("labels", {})),
        "labelFingerprint": fingerprint(),
        "selfLink": globe.link("snapshots", wanted["name"]),
    }
    for field, source in (("description", wanted), ("architecture", disk)):
        if field in source:
            body[field] = source[field]
    return body


def _locations(zone, wanted: list) -> list:
    if not wanted:
        return [_MULTI_REGIONS[zone.region.partition("-")[0]]]
    known = {*catalog.REGIONS, *_MULTI_REGIONS.values()}
    if len(wanted) > 1 or wanted[0] not in known:
        text = f"'{', '.join(wanted)}'. It must be one region or multi-region."
        raise invalid(f"Invalid value for field 'resource.storageLocations': {text}")
    return wanted


def _encrypt(world, zone, disk: dict, wanted: dict, body: dict):
    """Give it its key: the one that is named, or else that of the disk. What may be wrong with it, or nothing."""
    of_disk = disk.get("diskEncryptionKey", {}).get("kmsKeyName")
    told = newborn.key_of(wanted.get("sourceDiskEncryptionKey"), "resource.sourceDiskEncryptionKey")
    if told is not None and (of_disk is None or _key_name(told) != _key_name(of_disk)):
        text = f"'{told}'. The disk has another key, or none."
        raise invalid(f"Invalid value for field 'resource.sourceDiskEncryptionKey': {text}")
    if of_disk is not None:
        body["sourceDiskEncryptionKey"] = {"kmsKeyName": of_disk}
    failure = trouble.bad_disk_key(world, zone, disk)
    named = newborn.key_of(wanted.get("snapshotEncryptionKey"), "resource.snapshotEncryptionKey")
    if named is None:
        if of_disk is not None:
            body["snapshotEncryptionKey"] = {"kmsKeyName": of_disk}
        return failure
    version, problem = kms.usable(world, named, zone.region)
    body["snapshotEncryptionKey"] = {"kmsKeyName": version or named}
    return failure or trouble.bad_key(world, problem)


def _key_name(name: str) -> str:
    return name.partition("/cryptoKeyVersions/")[0]


def _plan(world, snapshot: Shown, operation: Shown, failure) -> None:
    """CREATING, UPLOADING, READY; or gone again."""
    globe, body, settle = world.globe, snapshot.body, world.settings.settle

    def upload(at: float) -> None:
        if globe.snapshots.get(body["name"]) is snapshot and body["status"] == "CREATING":
            body["status"] = "UPLOADING"
            snapshot.show(at)

    def end(at: float) -> None:
        operations.finish(operation, at, failure)
        if globe.snapshots.get(body["name"]) is not snapshot:
            return
        if failure:
            birth.bury(globe, "snapshots", snapshot, at)
        elif body["status"] == "UPLOADING":
            body.update(status="READY", storageBytesStatus="UP_TO_DATE")
            snapshot.show(at)

    world.after(world.now() + settle * 0.5, upload)
    world.after(world.now() + settle, end)
    world.settle()


def delete(world, call) -> Shown:
    snapshot = find(world, call, "snapshots", "snapshot")
    globe, body, now = world.globe, snapshot.body, world.now()
    operation = operations.begin(world, call, "delete", body["selfLink"], body["id"])
    body["status"] = "DELETING"
    snapshot.show(now)

    def end(at: float) -> None:
        operations.finish(operation, at)
        if globe.snapshots.get(body["name"]) is snapshot:
            birth.bury(globe, "snapshots", snapshot, at)

    world.after(now + world.settings.settle, end)
    world.settle()
    return operation
