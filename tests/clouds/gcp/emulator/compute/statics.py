"""What nobody makes: the project, zones, regions, types, images, networks."""

from .. import catalog
from ..catalog import PROJECT
from ..errors import not_found
from ..world import link


def _project(world, call) -> dict:
    # Its `id` is not the project's number.
    return {
        "kind": "compute#project", "id": "5123456789012345678", "name": PROJECT, "selfLink": link().rstrip("/"),
        "defaultServiceAccount": catalog.DEFAULT_ACCOUNT, "creationTimestamp": "2026-01-01T00:00:00.000-08:00",
        "commonInstanceMetadata": {"kind": "compute#metadata", "fingerprint": "AAAAAAAAAAA="}, "quotas": [],
    }  # fmt: skip


def _zone(name: str) -> dict:
    region = link("regions", catalog.ZONES[name])
    return {"kind": "compute#zone", "id": "1", "name": name, "status": "UP", "region": region, "selfLink": link("zones", name)}


def _region(name: str) -> dict:
    zones = [link("zones", zone) for zone in catalog.REGIONS[name]]
    return {"kind": "compute#region", "id": "1", "name": name, "status": "UP", "zones": zones, "quotas": [],
            "selfLink": link("regions", name)}  # fmt: skip


def _machine(zone: str, machine) -> dict:
    return {
        "kind": "compute#machineType", "id": "1", "name": machine.name, "guestCpus": machine.vcpus, "zone": zone,
        "memoryMb": machine.memory_mb, "architecture": machine.arch, "isSharedCpu": False,
        "selfLink": link("zones", zone, "machineTypes", machine.name),
    }  # fmt: skip


def _machines(zone: str) -> list:
    return [_machine(zone, machine) for machine in catalog.MACHINE_TYPES.values() if machine.in_zone(zone)]


def _disk_type(zone: str, name: str) -> dict:
    least, most = catalog.DISK_TYPES[name][0]
    return {"kind": "compute#diskType", "id": "1", "name": name, "validDiskSize": f"{least}GB-{most}GB",
            "selfLink": link("zones", zone, "diskTypes", name)}  # fmt: skip


def _image(name: str) -> dict:
    arch, size, family = catalog.IMAGES[name]
    return {
        "kind": "compute#image", "id": "1", "name": name.rsplit("/", 1)[-1], "architecture": arch, "diskSizeGb": str(size),
        "family": family, "status": "READY", "selfLink": f"https://www.googleapis.com/compute/v1/{name}",
    }  # fmt: skip


def _subnetwork(region: str) -> dict:
    return {
        "kind": "compute#subnetwork", "id": "1", "name": "default", "region": link("regions", region),
        "network": link("global", "networks", "default"), "ipCidrRange": "10.128.0.0/20", "privateIpGoogleAccess": True,
        "selfLink": link("regions", region, "subnetworks", "default"),
    }  # fmt: skip


_NETWORK = {"kind": "compute#network", "id": "1", "name": "default", "autoCreateSubnetworks": True,
            "selfLink": link("global", "networks", "default")}  # fmt: skip


def _one(found, what: str):
    if found is None:
        raise not_found(what)
    return found


def _all(kind: str, items: list) -> dict:
    return {"kind": f"compute#{kind}List", "id": kind, "items": items}


def _get_machine(world, call) -> dict:
    machine = catalog.MACHINE_TYPES.get(call.path["machineType"])
    fits = machine is not None and machine.in_zone(call.zone.name)
    return _one(_machine(call.zone.name, machine) if fits else None, call.zone.link("machineTypes", call.path["machineType"]))


def _get_image(world, call) -> dict:
    name = f"projects/{call.path['project']}/global/images/{call.path['image']}"
    return _one(_image(name) if name in catalog.IMAGES else None, name)


def _family(world, call) -> dict:
    name = catalog.image(f"projects/{call.path['project']}/global/images/family/{call.path['family']}")
    return _one(_image(name) if name else None, call.path["family"])


def _named(known, make, field: str):
    def handler(world, call) -> dict:
        name = call.path[field]
        return _one(make(name) if name in known else None, name)

    return handler


HANDLERS = {
    "projects.get": _project,
    "zones.get": _named(catalog.ZONES, _zone, "zone"),
    "zones.list": lambda world, call: _all("zone", [_zone(name) for name in sorted(catalog.ZONES)]),
    "regions.get": _named(catalog.REGIONS, _region, "region"),
    "regions.list": lambda world, call: _all("region", [_region(name) for name in sorted(catalog.REGIONS)]),
    "machineTypes.get": _get_machine,
    "machineTypes.list": lambda world, call: _all("machineType", _machines(call.zone.name)),
    "diskTypes.get": lambda world, call: _named(catalog.DISK_TYPES, lambda name: _disk_type(call.zone.name, name), "diskType")(world, call),
    "diskTypes.list": lambda world, call: _all("diskType", [_disk_type(call.zone.name, name) for name in catalog.DISK_TYPES]),
    "images.get": _get_image,
    "images.getFromFamily": _family,
    "subnetworks.get": lambda world, call: _one(_subnetwork(call.path["region"]) if call.path["subnetwork"] == "default" else None, call.path["subnetwork"]),
    "subnetworks.list": lambda world, call: _all("subnetwork", [_subnetwork(call.path["region"])]),
    "networks.get": lambda world, call: _one(_NETWORK if call.path["network"] == "default" else None, call.path["network"]),
    "networks.list": lambda world, call: _all("network", [_NETWORK]),
}
