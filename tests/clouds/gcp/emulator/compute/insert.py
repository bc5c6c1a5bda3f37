"""instances.insert: every check of the request. What comes of it is in `birth`.

Source: Compute Engine API reference, `instances.insert` and the Instance resource; "Create a VM with a custom boot
disk".
"""

import random

from .. import catalog
from ..errors import ApiError, already_exists, invalid
from ..world import Shown, link
from . import birth, trouble
from .names import check_labels, check_name, fingerprint, only_emulated, placed, subnetwork
from .request import Disk

_FIELDS = {
    "canIpForward",
    "deletionProtection",
    "description",
    "disks",
    "labels",
    "machineType",
    "metadata",
    "name",
    "networkInterfaces",
    "scheduling",
    "serviceAccounts",
    "shieldedInstanceConfig",
    "tags",
    "zone",
    "kind",
}
_INTERFACE = {"accessConfigs", "network", "name", "nicType", "stackType", "subnetwork"}


def insert(world, call) -> Shown:
    zone, wanted = call.zone, call.body
    for query in ("sourceInstanceTemplate", "sourceMachineImage"):
        if query in call.query:
            raise ApiError(501, "notImplemented", f"{query} is not emulated")
    only_emulated(wanted, call.document.schemas["Instance"], _FIELDS, "resource")
    name = check_name(wanted["name"], "resource.name")
    kind = placed(wanted.get("machineType"), zone, "machineTypes", "resource.machineType")
    machine = catalog.MACHINE_TYPES.get(kind)
    if machine is None or not machine.in_zone(zone.name):
        raise invalid(
            f"Invalid value for field 'resource.machineType': Machine type with name '{kind}' does not exist in zone '{zone.name}'."
        )
    if name in zone.instances:
        raise already_exists(f"projects/{catalog.PROJECT}/zones/{zone.name}/instances/{name}")
    check_labels(wanted.get("labels", {}))
    _check_rest(wanted)
    interfaces = [
        _interface(zone, call, interface, place) for place, interface in enumerate(wanted.get("networkInterfaces", []))
    ]
    if len(interfaces) != 1:
        raise invalid(
            "Invalid value for field 'resource.networkInterfaces': exactly one network interface is emulated, and needed."
        )
    disks = [Disk(world, call, disk, place, machine) for place, disk in enumerate(wanted.get("disks", []))]
    _check_disks(disks)
    failure = None
    for disk in disks:
        failure = failure or disk.key_failure(world)
    born = sum(int(disk.body["sizeGb"]) for disk in disks if disk.is_born)
    failure = (
        failure or trouble.over_quota(world, zone, machine.vcpus, born) or trouble.no_room(world, call, machine.name)
    )
    return birth.begin(world, call, machine, interfaces, disks, failure)


def _check_disks(disks: list[Disk]) -> None:
    if sum(disk.boot for disk in disks) != 1 or not disks[0].boot:
        raise invalid(
            "Invalid value for field 'resource.disks': exactly one boot disk is required, and it is the first."
        )
    if "sourceImage" not in disks[0].body:
        raise invalid("Invalid value for field 'resource.disks[0]': the boot disk needs an image.")
    for what, values in (
        ("disk", [disk.body["name"] for disk in disks]),
        ("device name", [disk.device for disk in disks]),
    ):
        if len(set(values)) < len(values):
            raise invalid(
                f"Invalid value for field 'resource.disks': a {what} is there twice: {', '.join(sorted(values))}"
            )


def _check_rest(wanted: dict) -> None:
    keys = [item["key"] for item in wanted.get("metadata", {}).get("items", [])]
    if len(set(keys)) < len(keys):
        raise invalid("Invalid value for field 'resource.metadata': a key is there twice.")
    # "Service accounts": a machine has at most one.
    accounts = wanted.get("serviceAccounts", [])
    if len(accounts) > 1:
        raise invalid("Invalid value for field 'resource.serviceAccounts': at most one.")
    for account in accounts:
        if "@" not in account.get("email", "") and account.get("email") != "default":
            raise invalid(f"Invalid value for field 'resource.serviceAccounts[0].email': '{account.get('email')}'.")


def _interface(zone, call, wanted: dict, place: int) -> dict:
    field = f"resource.networkInterfaces[{place}]"
    only_emulated(wanted, call.document.schemas["NetworkInterface"], _INTERFACE, field)
    subnetwork(zone, wanted, field)
    shown = {
        "kind": "compute#networkInterface",
        "name": f"nic{place}",
        "network": link("global", "networks", "default"),
        "subnetwork": link("regions", zone.region, "subnetworks", "default"),
        "stackType": wanted.get("stackType", "IPV4_ONLY"),
        "networkIP": f"10.128.{random.randrange(256)}.{random.randrange(2, 255)}",
        "fingerprint": fingerprint(),
    }
    configs = wanted.get("accessConfigs", [])
    if len(configs) > 1:
        raise invalid(f"Invalid value for field '{field}.accessConfigs': at most one.")
    if any("natIP" in config for config in configs):
        raise ApiError(501, "notImplemented", f"'{field}.accessConfigs.natIP': reserved addresses are not emulated")
    defaults = {
        "kind": "compute#accessConfig",
        "type": "ONE_TO_ONE_NAT",
        "name": "External NAT",
        "networkTier": "PREMIUM",
    }
    if configs:
        shown["accessConfigs"] = [{**defaults, **configs[0], "natIP": f"203.0.113.{random.randrange(2, 255)}"}]
    return shown
