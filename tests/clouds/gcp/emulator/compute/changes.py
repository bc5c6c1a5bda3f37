"""What is changed on an instance that stays: attached disks, its machine type; and labels. It owns attachDisk,
detachDisk, setDiskAutoDelete, setMachineType, setLabels.

Sources: Compute Engine API reference of each method; "Labels", fingerprint (412 conditionNotMet); "Edit the machine
type of a compute instance" (it must be stopped; how one that runs is refused is assumed). These changes are done when
the call returns; only their operation is still on its way.
"""

from .. import catalog
from ..errors import ApiError, bad_request, invalid
from ..world import Shown, stamp
from . import birth, newborn, operations, trouble
from .names import check_labels, find, fingerprint, last, only_emulated, placed
from .request import attached, existing

_ATTACH = {"autoDelete", "boot", "deviceName", "interface", "mode", "source", "type", "kind"}


def attach(world, call) -> Shown:
    instance = find(world, call, "instances", "instance")
    body, wanted, now = instance.body, call.body, world.now()
    only_emulated(wanted, call.document.schemas["AttachedDisk"], _ATTACH, "resource")
    if body["status"] not in ("RUNNING", "TERMINATED"):
        raise ApiError(400, "resourceNotReady", f"The resource '{body['selfLink']}' is not ready")
    if wanted.get("boot"):
        raise ApiError(501, "notImplemented", "attaching a boot disk is not emulated")
    mode = wanted.get("mode", "READ_WRITE")
    disk = existing(call.zone, wanted.get("source"), mode, catalog.MACHINE_TYPES[last(body["machineType"])], "resource")
    taken = {held["index"] for held in body["disks"]}
    index = next(number for number in range(len(taken) + 1) if number not in taken)
    device = wanted.get("deviceName") or f"persistent-disk-{index}"
    if any(held["deviceName"] == device for held in body["disks"]):
        raise invalid(f"Invalid value for field 'resource.deviceName': '{device}'. The device name is in use.")
    failure = trouble.bad_disk_key(world, call.zone, disk.body)
    operation = operations.begin(world, call, "attachDisk", body["selfLink"], body["id"])
    if failure is None:
        body["disks"] = [
            *body["disks"],
            attached(disk.body, index, mode, device, False, bool(wanted.get("autoDelete"))),
        ]
        disk.body.update(users=[*disk.body["users"], body["selfLink"]], lastAttachTimestamp=stamp(now))
        instance.show(now)
        disk.show(now)
    operations.finish_later(world, operation, failure)
    return operation


def detach(world, call) -> Shown:
    instance = find(world, call, "instances", "instance")
    body, now = instance.body, world.now()
    held = _device(body, call.query["deviceName"])
    if held["boot"] and body["status"] != "TERMINATED":
        raise bad_request("A boot disk can be detached from a stopped instance only.")
    operation = operations.begin(world, call, "detachDisk", body["selfLink"], body["id"])
    body["disks"] = [each for each in body["disks"] if each is not held]
    birth.let_go(call.zone, held["source"], instance, now)
    instance.show(now)
    operations.finish_later(world, operation)
    return operation


def auto_delete(world, call) -> Shown:
    instance = find(world, call, "instances", "instance")
    body = instance.body
    held = _device(body, call.query["deviceName"])
    operation = operations.begin(world, call, "setDiskAutoDelete", body["selfLink"], body["id"])
    changed = {**held, "autoDelete": call.query["autoDelete"]}
    body["disks"] = [changed if each is held else each for each in body["disks"]]
    instance.show(world.now())
    operations.finish_later(world, operation)
    return operation


def set_machine_type(world, call) -> Shown:
    instance = find(world, call, "instances", "instance")
    body, zone = instance.body, call.zone
    kind = placed(call.body.get("machineType"), zone, "machineTypes", "machineType")
    machine = catalog.MACHINE_TYPES.get(kind)
    if machine is None or not machine.in_zone(zone.name):
        text = f"Machine type with name '{kind}' does not exist in zone '{zone.name}'."
        raise invalid(f"Invalid value for field 'machineType': {text}")
    if body["status"] != "TERMINATED":
        raise bad_request("Machine type can be changed only when the instance is in TERMINATED status.")
    for held in body["disks"]:
        newborn.fits(last(zone.disks[last(held["source"])].body["type"]), machine)
        if held["boot"] and held.get("architecture", machine.arch) != machine.arch:
            raise bad_request(f"The boot disk is of {held['architecture']}, and {kind} of {machine.arch}.")
    operation = operations.begin(world, call, "setMachineType", body["selfLink"], body["id"])
    body["machineType"] = zone.link("machineTypes", kind)
    instance.show(world.now())
    operations.finish_later(world, operation)
    return operation


def _device(body: dict, device: str) -> dict:
    held = next((each for each in body["disks"] if each["deviceName"] == device), None)
    if held is None:
        raise invalid(f"Invalid value for field 'disk': '{device}'. No attached disk found with device name '{device}'")
    return held


def set_labels(collection: str, field: str):
    def change(world, call) -> Shown:
        held = find(world, call, collection, field)
        body = held.body
        if call.body.get("labelFingerprint") != body["labelFingerprint"]:
            raise ApiError(412, "conditionNotMet", "Labels fingerprint either invalid or resource labels have changed")
        labels = check_labels(call.body.get("labels", {}))
        operation = operations.begin(world, call, "setLabels", body["selfLink"], body["id"])
        body.update(labels=labels, labelFingerprint=fingerprint())
        held.show(world.now())
        operations.finish_later(world, operation)
        return operation

    return change
