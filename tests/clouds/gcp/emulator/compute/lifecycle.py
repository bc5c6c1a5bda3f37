"""Starting, stopping and deleting. It owns the states of an instance after its birth.

Sources: Compute Engine documentation, "Compute Engine instance lifecycle", "Stop or restart an instance", "Delete a
VM"; API reference of each method. A change of an instance that is in passing is refused with resourceNotReady.
"""

from .. import catalog
from ..errors import ApiError, invalid
from ..world import Shown, stamp
from . import birth, operations, trouble
from .names import find, last


def _busy(instance: Shown) -> ApiError:
    return ApiError(400, "resourceNotReady", f"The resource '{instance.body['selfLink']}' is not ready")


def start(world, call) -> Shown:
    instance = find(world, call, "instances", "instance")
    body, now = instance.body, world.now()
    if body["status"] not in ("TERMINATED", "RUNNING"):
        raise _busy(instance)
    failure = _start_failure(world, call, body) if body["status"] == "TERMINATED" else None
    operation = operations.begin(world, call, "start", body["selfLink"], body["id"])
    if body["status"] == "RUNNING":
        operations.finish(operation, now)
        return operation

    # For a moment it is still shown as stopped: who asked must ask the operation.
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


def _start_failure(world, call, body: dict):
    failure, zone = None, call.zone
    for attached in body["disks"]:
        failure = failure or trouble.bad_disk_key(world, zone, attached)
    machine = catalog.MACHINE_TYPES[last(body["machineType"])]
    return failure or trouble.over_quota(world, zone, machine.vcpus, 0) or trouble.no_room(world, call, machine.name)


def stop(world, call) -> Shown:
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
        if instance.body is body and body["status"] == "STOPPING" and not instance.is_leaving:
            body.update(status="TERMINATED", lastStopTimestamp=stamp(at))
            instance.show(at)

    world.after(now + world.settings.settle, end)
    world.settle()
    return operation


def delete(world, call) -> Shown:
    instance = find(world, call, "instances", "instance")
    zone, body, now = call.zone, instance.body, world.now()
    if body["deletionProtection"]:
        raise invalid("Invalid resource usage: 'Resource cannot be deleted if it's protected against deletion.'")
    operation = operations.begin(world, call, "delete", body["selfLink"], body["id"])
    body["status"], instance.is_leaving = "STOPPING", True
    instance.show(now)

    def end(at: float) -> None:
        operations.finish(operation, at)
        if zone.instances.get(body["name"]) is not instance:
            return
        for attached in body["disks"]:
            disk = zone.disks.get(last(attached["source"]))
            if disk is not None and attached["autoDelete"]:
                birth.bury(zone, "disks", disk, at)
            else:
                birth.let_go(zone, attached["source"], instance, at)
        birth.bury(zone, "instances", instance, at)

    world.after(now + world.settings.settle, end)
    world.settle()
    return operation
