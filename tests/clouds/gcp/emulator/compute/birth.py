"""What becomes of an insertion: an instance on its way, with its disks; running, or gone again. It owns that course.

Source: Compute Engine documentation, "Compute Engine instance lifecycle" (PROVISIONING, STAGING, RUNNING).
"""

from ..world import Shown, new_number, stamp
from . import operations
from .names import fingerprint

_SCHEDULING = {
    "onHostMaintenance": "MIGRATE",
    "automaticRestart": True,
    "preemptible": False,
    "provisioningModel": "STANDARD",
}
_SHIELDED = {"enableSecureBoot": False, "enableVtpm": True, "enableIntegrityMonitoring": True}


def begin(world, call, machine, interfaces: list, disks: list, failure) -> Shown:
    now, zone = world.now(), call.zone
    instance = Shown(now, _body(call, machine, interfaces, now))
    body, name = instance.body, instance.body["name"]
    operation = operations.begin(world, call, "insert", body["selfLink"], body["id"])
    newborns = []
    for disk in disks:
        shown = disk.source
        if disk.is_born:
            shown = zone.disks[disk.body["name"]] = Shown(now, disk.body)
            shown.body["creationTimestamp"] = stamp(now)
            newborns.append(shown)
        shown.body.update(users=[*shown.body["users"], body["selfLink"]], lastAttachTimestamp=stamp(now))
        shown.show(now)
    body["disks"] = [disk.attached(index) for index, disk in enumerate(disks)]
    zone.instances[name] = instance
    instance.show(now)

    def stage(at: float) -> None:
        if zone.instances.get(name) is instance and body["status"] == "PROVISIONING":
            body["status"] = "STAGING"
            instance.show(at)

    def end(at: float) -> None:
        operations.finish(operation, at, failure)
        if zone.instances.get(name) is not instance:
            return
        if failure:
            _undo(zone, instance, newborns, at)
            return
        for shown in newborns:
            if zone.disks.get(shown.body["name"]) is shown and shown.body["status"] == "CREATING":
                shown.body["status"] = "READY"
                shown.show(at)
        if body["status"] in ("PROVISIONING", "STAGING"):
            body.update(status="RUNNING", lastStartTimestamp=stamp(at), cpuPlatform="Emulated CPU")
            instance.show(at)

    settle = world.settings.settle
    world.after(now + settle * 0.5, stage)
    world.after(now + settle, end)
    world.settle()
    return operation


def _body(call, machine, interfaces: list, now: float) -> dict:
    zone, wanted = call.zone, call.body
    body = {
        "kind": "compute#instance",
        "id": new_number(),
        "name": wanted["name"],
        "zone": zone.link(),
        "creationTimestamp": stamp(now),
        "machineType": zone.link("machineTypes", machine.name),
        "status": "PROVISIONING",
        "cpuPlatform": "Unknown CPU Platform",
        "selfLink": zone.link("instances", wanted["name"]),
        "networkInterfaces": interfaces,
        "labels": dict(wanted.get("labels", {})),
        "labelFingerprint": fingerprint(),
        "fingerprint": fingerprint(),
        "metadata": {"kind": "compute#metadata", **wanted.get("metadata", {}), "fingerprint": fingerprint()},
        "tags": {**wanted.get("tags", {}), "fingerprint": fingerprint()},
        "canIpForward": bool(wanted.get("canIpForward")),
        "scheduling": {**_SCHEDULING, **wanted.get("scheduling", {})},
        "startRestricted": False,
        "deletionProtection": bool(wanted.get("deletionProtection")),
        **({"description": wanted["description"]} if "description" in wanted else {}),
        "shieldedInstanceConfig": {**_SHIELDED, **wanted.get("shieldedInstanceConfig", {})},
        "shieldedInstanceIntegrityPolicy": {"updateAutoLearnPolicy": True},
        "serviceAccounts": wanted.get("serviceAccounts", []),
    }
    return body


def let_go(zone, source: str, instance: Shown, at: float) -> None:
    """The instance no longer holds that disk."""
    disk = zone.disks.get(source.rsplit("/", 1)[-1])
    if disk is not None:
        disk.body["users"] = [user for user in disk.body["users"] if user != instance.body["selfLink"]]
        disk.body["lastDetachTimestamp"] = stamp(at)
        disk.show(at)


def bury(zone, collection: str, shown: Shown, at: float) -> None:
    """It is gone; stale lists still know it."""
    getattr(zone, collection).pop(shown.body["name"], None)
    zone.graves[collection].append(shown)
    shown.gone(at)


def _undo(zone, instance: Shown, newborns: list, at: float) -> None:
    """A failed insertion leaves nothing, and lets go of what was there."""
    born = {shown.body["selfLink"] for shown in newborns}
    for attached in instance.body["disks"]:
        if attached["source"] not in born:
            let_go(zone, attached["source"], instance, at)
    for shown in newborns:
        bury(zone, "disks", shown, at)
    bury(zone, "instances", instance, at)
