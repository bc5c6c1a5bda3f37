"""Starting, stopping, deleting, labelling, attaching. It owns what an instance and a disk go through after their birth.

Source: Compute Engine documentation, "Compute Engine instance lifecycle"; API reference of each method.
"""

import re

from .. import catalog, kms
from ..errors import ApiError, bad_request, in_use, invalid, not_found
from ..world import Shown, new_number, stamp
from . import operations
from .insert import _placed, check_labels, exhausted, fingerprint


def find(world, call, collection: str, field: str) -> Shown:
    """By name or by number. What is too young to be shown is not found."""
    wanted = call.path[field]
    held = getattr(call.zone, collection)
    found = held.get(wanted) or next((shown for shown in held.values() if shown.body["id"] == wanted), None)
    if found is None or found.born + world.settings.visibility_lag > world.now():
        raise not_found(f"projects/{catalog.PROJECT}/zones/{call.zone.name}/{collection}/{wanted}")
    return found


def _changes(handler):
    """Around every change: a request id that was seen before gives its operation."""

    def around(world, call) -> dict:
        again = operations.replayed(world, call)
        return again if again is not None else handler(world, call).body

    return around


def _busy(instance: Shown) -> ApiError:
    name = instance.body["selfLink"]
    return ApiError(400, "resourceNotReady", f"The resource '{name}' is not ready")


def _start(world, call) -> Shown:
    instance = find(world, call, "instances", "instance")
    zone, body, now = call.zone, instance.body, world.now()
    if body["status"] not in ("TERMINATED", "RUNNING"):
        raise _busy(instance)
    failure = None
    if body["status"] == "TERMINATED":
        failure = _locked(world, zone, body)
        machine = body["machineType"].rsplit("/", 1)[-1]
        if failure is None and world.out_of_capacity(zone.name, machine):
            failure = exhausted(world, zone)
    operation = operations.begin(world, call, "start", body["selfLink"], body["id"])
    if body["status"] == "RUNNING":
        operations.finish(operation, now)
        return operation

    def stage(at: float) -> None:
        if body["status"] == "TERMINATED" and not failure:
            body["status"] = "STAGING"
            instance.show(at)

    def end(at: float) -> None:
        operations.finish(operation, at, failure)
        if body["status"] == "STAGING":
            body.update(status="RUNNING", lastStartTimestamp=stamp(at))
            instance.show(at)

    world.after(now + world.settings.settle * 0.2, stage)
    world.after(now + world.settings.settle, end)
    world.settle()
    return operation


def _locked(world, zone, body: dict):
    for attached in body["disks"]:
        version = attached.get("diskEncryptionKey", {}).get("kmsKeyName")
        _, problem = kms.usable(world, version, zone.region, version) if version else (None, None)
        if problem and world.settings.key_check == "sync":
            raise bad_request(problem)
        if problem:
            return "KMS_KEY_UNUSABLE", problem, 400
    return None


def _stop(world, call) -> Shown:
    instance = find(world, call, "instances", "instance")
    body, now = instance.body, world.now()
    if body["status"] not in ("RUNNING", "TERMINATED", "STAGING", "PROVISIONING"):
        raise _busy(instance)
    operation = operations.begin(world, call, "stop", body["selfLink"], body["id"])
    if body["status"] == "TERMINATED":
        operations.finish(operation, now)
        return operation
    body["status"] = "STOPPING"
    instance.show(now)

    def end(at: float) -> None:
        operations.finish(operation, at)
        if instance.body is body and body["status"] == "STOPPING":
            body.update(status="TERMINATED", lastStopTimestamp=stamp(at))
            instance.show(at)

    world.after(now + world.settings.settle, end)
    world.settle()
    return operation


def _delete(world, call) -> Shown:
    instance = find(world, call, "instances", "instance")
    zone, body, now = call.zone, instance.body, world.now()
    if body.get("deletionProtection"):
        raise invalid("Invalid resource usage: 'Resource cannot be deleted if it's protected against deletion.'")
    operation = operations.begin(world, call, "delete", body["selfLink"], body["id"])
    body["status"] = "STOPPING"
    instance.show(now)

    def end(at: float) -> None:
        operations.finish(operation, at)
        if zone.instances.get(body["name"]) is not instance:
            return
        zone.instances.pop(body["name"])
        zone.graves["instances"].append(instance)
        for attached in body["disks"]:
            disk = zone.disks.get(attached["source"].rsplit("/", 1)[-1])
            if disk is None:
                continue
            if attached["autoDelete"]:
                zone.disks.pop(disk.body["name"])
                zone.graves["disks"].append(disk)
                disk.gone(at)
            else:
                disk.body.update(users=[], lastDetachTimestamp=stamp(at))
                disk.show(at)
        instance.gone(at)

    world.after(now + world.settings.settle, end)
    world.settle()
    return operation


def _delete_disk(world, call) -> Shown:
    disk = find(world, call, "disks", "disk")
    zone, body, now = call.zone, disk.body, world.now()
    if body.get("users"):
        raise in_use(body["selfLink"], body["users"][0])
    operation = operations.begin(world, call, "delete", body["selfLink"], body["id"])
    body["status"] = "DELETING"
    disk.show(now)

    def end(at: float) -> None:
        operations.finish(operation, at)
        if zone.disks.get(body["name"]) is disk:
            zone.disks.pop(body["name"])
            zone.graves["disks"].append(disk)
            disk.gone(at)

    world.after(now + world.settings.settle, end)
    world.settle()
    return operation


def _insert_disk(world, call) -> Shown:
    zone, wanted, now = call.zone, call.body, world.now()
    name = wanted.get("name", "")
    if not re.fullmatch(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?", name):
        raise invalid(f"Invalid value for field 'resource.name': '{name}'.")
    if name in zone.disks:
        raise ApiError(409, "alreadyExists", f"The resource '{zone.link('disks', name)}' already exists")
    kind = _placed(wanted["type"], zone, "diskTypes", "resource.type") if wanted.get("type") else "pd-standard"
    if kind not in catalog.DISK_TYPES:
        raise not_found(kind)
    check_labels(wanted.get("labels", {}))
    body = {
        "kind": "compute#disk", "id": new_number(), "name": name, "sizeGb": str(wanted.get("sizeGb") or 500),
        "zone": zone.link().rstrip("/"), "status": "CREATING", "type": zone.link("diskTypes", kind), "users": [],
        "selfLink": zone.link("disks", name), "labels": dict(wanted.get("labels", {})), "labelFingerprint": fingerprint(),
        "creationTimestamp": stamp(now), "physicalBlockSizeBytes": "4096",
    }  # fmt: skip
    held = (wanted.get("diskEncryptionKey") or {}).get("kmsKeyName")
    if held:
        version, problem = kms.usable(world, held, zone.region)
        if problem:
            raise bad_request(problem)
        body["diskEncryptionKey"] = {"kmsKeyName": version}
    operation = operations.begin(world, call, "insert", body["selfLink"], body["id"])
    disk = zone.disks[name] = Shown(now, body)
    disk.show(now)

    def end(at: float) -> None:
        operations.finish(operation, at)
        if zone.disks.get(name) is disk:
            body["status"] = "READY"
            disk.show(at)

    world.after(now + world.settings.settle, end)
    world.settle()
    return operation


def _set_labels(collection: str, field: str):
    def handler(world, call) -> Shown:
        held = find(world, call, collection, field)
        body, now = held.body, world.now()
        if call.body.get("labelFingerprint") != body["labelFingerprint"]:
            raise ApiError(412, "conditionNotMet", "Labels fingerprint either invalid or resource labels have changed")
        check_labels(call.body.get("labels", {}))
        operation = operations.begin(world, call, "setLabels", body["selfLink"], body["id"])
        body.update(labels=dict(call.body.get("labels", {})), labelFingerprint=fingerprint())
        held.show(now)
        operations.finish(operation, now)
        return operation

    return handler


def _attach(world, call) -> Shown:
    instance = find(world, call, "instances", "instance")
    body, now = instance.body, world.now()
    name = _placed(call.body.get("source"), call.zone, "disks", "resource.source")
    disk = call.zone.disks.get(name)
    if disk is None:
        raise not_found(call.body["source"])
    if disk.body.get("users"):
        raise in_use(disk.body["selfLink"], disk.body["users"][0])
    operation = operations.begin(world, call, "attachDisk", body["selfLink"], body["id"])
    index = len(body["disks"])
    shown = {
        "kind": "compute#attachedDisk", "type": "PERSISTENT", "mode": call.body.get("mode", "READ_WRITE"),
        "source": disk.body["selfLink"], "deviceName": call.body.get("deviceName") or f"persistent-disk-{index}",
        "index": index, "boot": False, "autoDelete": bool(call.body.get("autoDelete")), "interface": "NVME",
        "diskSizeGb": disk.body["sizeGb"],
    }  # fmt: skip
    body["disks"] = [*body["disks"], shown]
    disk.body.update(users=[body["selfLink"]], lastAttachTimestamp=stamp(now))
    instance.show(now)
    disk.show(now)
    operations.finish(operation, now)
    return operation


def _detach(world, call) -> Shown:
    instance = find(world, call, "instances", "instance")
    body, now = instance.body, world.now()
    device = call.query.get("deviceName")
    held = next((attached for attached in body["disks"] if attached["deviceName"] == device), None)
    if held is None:
        raise invalid(f"Invalid value for field 'disk': no attached disk found with device name '{device}'")
    if held["boot"] and body["status"] != "TERMINATED":
        raise bad_request("A boot disk can be detached from a stopped instance only.")
    operation = operations.begin(world, call, "detachDisk", body["selfLink"], body["id"])
    body["disks"] = [attached for attached in body["disks"] if attached is not held]
    disk = call.zone.disks.get(held["source"].rsplit("/", 1)[-1])
    if disk is not None:
        disk.body.update(users=[], lastDetachTimestamp=stamp(now))
        disk.show(now)
    instance.show(now)
    operations.finish(operation, now)
    return operation


def _auto_delete(world, call) -> Shown:
    instance = find(world, call, "instances", "instance")
    body, now = instance.body, world.now()
    operation = operations.begin(world, call, "setDiskAutoDelete", body["selfLink"], body["id"])
    for attached in body["disks"]:
        if attached["deviceName"] == call.query["deviceName"]:
            attached["autoDelete"] = call.query["autoDelete"]
    instance.show(now)
    operations.finish(operation, now)
    return operation


HANDLERS = {
    "instances.start": _changes(_start),
    "instances.stop": _changes(_stop),
    "instances.delete": _changes(_delete),
    "instances.setLabels": _changes(_set_labels("instances", "instance")),
    "instances.attachDisk": _changes(_attach),
    "instances.detachDisk": _changes(_detach),
    "instances.setDiskAutoDelete": _changes(_auto_delete),
    "disks.insert": _changes(_insert_disk),
    "disks.delete": _changes(_delete_disk),
    "disks.setLabels": _changes(_set_labels("disks", "resource")),
    "instances.get": lambda world, call: find(world, call, "instances", "instance").body,
    "disks.get": lambda world, call: find(world, call, "disks", "disk").body,
}
