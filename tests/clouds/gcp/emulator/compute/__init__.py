"""Compute Engine: from a method's name to what does it. What is not here is refused as not implemented."""

import time

from .. import iam
from ..catalog import PROJECT, PROJECT_NUMBER
from ..errors import ApiError, invalid
from . import changes, disks, insert, lifecycle, lists, operations, snapshots, statics
from .names import find

# Projects whose public images anybody may read.
_PUBLIC = {"debian-cloud", "ubuntu-os-cloud"}
_WAIT = 120.0  # "waits ... for the request to approach the 2 minute deadline" (zoneOperations.wait)
_CHANGES = {
    "instances.insert": insert.insert,
    "instances.start": lifecycle.start,
    "instances.stop": lifecycle.stop,
    "instances.delete": lifecycle.delete,
    "instances.attachDisk": changes.attach,
    "instances.detachDisk": changes.detach,
    "instances.setDiskAutoDelete": changes.auto_delete,
    "instances.setLabels": changes.set_labels("instances", "instance"),
    "instances.setMachineType": changes.set_machine_type,
    "disks.insert": disks.insert,
    "disks.delete": disks.delete,
    "disks.resize": disks.resize,
    "disks.update": disks.update,
    "disks.setLabels": changes.set_labels("disks", "resource"),
    "disks.createSnapshot": snapshots.of_disk,
    "snapshots.insert": snapshots.insert,
    "snapshots.delete": snapshots.delete,
    "snapshots.setLabels": changes.set_labels("snapshots", "resource"),
}
_WAITS = ("zoneOperations.wait", "globalOperations.wait")
_HANDLERS = {
    **{name: operations.once(change) for name, change in _CHANGES.items()},
    **lists.HANDLERS,
    **statics.HANDLERS,
    "instances.get": lambda world, call: find(world, call, "instances", "instance").body,
    "instances.getIamPolicy": lambda world, call: iam.get(
        world,
        iam.of_instance(find(world, call, "instances", "resource").body),
        call.query.get("optionsRequestedPolicyVersion", 1),
    ),
    "instances.setIamPolicy": lambda world, call: iam.put(
        world, iam.of_instance(find(world, call, "instances", "resource").body), call.body.get("policy")
    ),
    "disks.get": lambda world, call: find(world, call, "disks", "disk").body,
    "snapshots.get": lambda world, call: find(world, call, "snapshots", "snapshot").body,
}


def answer(world, call) -> dict:
    handler = _HANDLERS.get(call.action)
    if handler is None:
        raise ApiError(501, "notImplemented", f"{call.action} is not emulated")
    project = call.path.get("project")
    if project not in (PROJECT, PROJECT_NUMBER) and not (project in _PUBLIC and call.action.startswith("images.")):
        raise ApiError(403, "forbidden", f"Required 'compute.{call.action}' permission for 'projects/{project}'")
    deadline = time.monotonic() + _WAIT
    while True:
        with world.lock:
            world.settle()
            if "zone" in call.path and call.action != "zones.get":
                call.zone = world.zone(call.path["zone"])
                if call.zone is None:  # inspec/inspec-gcp issue 301
                    raise invalid(f"Invalid value for field 'zone': '{call.path['zone']}'. Unknown zone.")
            found = _without_empty(handler(world, call))
        if call.action not in _WAITS or found["status"] == "DONE" or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def _without_empty(found):
    """Empty lists and maps are not shown: a list without items has no `items`. It is also a copy that nobody changes
    any more.
    """
    if isinstance(found, dict):
        shown = {name: _without_empty(value) for name, value in found.items()}
        return {name: value for name, value in shown.items() if value not in ([], {})}
    return [_without_empty(each) for each in found] if isinstance(found, list) else found
