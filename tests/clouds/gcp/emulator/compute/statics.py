"""What nobody makes: the project, zones, regions, types, images, networks."""

import zlib

from .. import catalog
from ..catalog import PROJECT
from ..errors import invalid, not_found
from ..world import image_link, link
from .lists import listed, scoped


def _project(world, call) -> dict:
    # Its `id` is not the project's number.
    return {
        "kind": "compute#project", "id": "5123456789012345678", "name": PROJECT, "selfLink": link().rstrip("/"),
        "defaultServiceAccount": catalog.DEFAULT_ACCOUNT, "creationTimestamp": "2026-01-01T00:00:00.000-08:00",
        "commonInstanceMetadata": {"kind": "compute#metadata", "fingerprint": "AAAAAAAAAAA="}, "quotas": [],
    }  # fmt: skip


def _id(name: str) -> str:
    return str(10**15 + zlib.crc32(name.encode()))


def _zone(name: str) -> dict:
    region = link("regions", catalog.ZONES[name])
    return {
        "kind": "compute#zone",
        "id": _id(name),
        "name": name,
        "status": "UP",
        "region": region,
        "selfLink": link("zones", name),
    }


def _region(name: str) -> dict:
    zones = [link("zones", zone) for zone in catalog.REGIONS[name]]
    return {"kind": "compute#region", "id": _id(name), "name": name, "status": "UP", "zones": zones, "quotas": [],
            "selfLink": link("regions", name)}  # fmt: skip


def _machine(zone: str, machine) -> dict:
    return {
        "kind": "compute#machineType",
        "id": _id(machine.name),
        "name": machine.name,
        "guestCpus": machine.vcpus,
        "zone": zone,
        "memoryMb": machine.memory_mb,
        "architecture": machine.arch,
        "isSharedCpu": False,
        "selfLink": link("zones", zone, "machineTypes", machine.name),
    }


def _machines(zone: str) -> list:
    return [_machine(zone, machine) for machine in catalog.MACHINE_TYPES.values() if machine.in_zone(zone)]


def _disk_type(zone: str, name: str) -> dict:
    least, most = catalog.DISK_TYPES[name][0]
    return {
        "kind": "compute#diskType",
        "id": _id(name),
        "name": name,
        "zone": link("zones", zone),
        "validDiskSize": f"{least}GB-{most}GB",
        "selfLink": link("zones", zone, "diskTypes", name),
    }


def _image(name: str) -> dict:
    arch, size, family = catalog.IMAGES[name]
    return {
        "kind": "compute#image",
        "id": _id(name),
        "name": name.rsplit("/", 1)[-1],
        "architecture": arch,
        "diskSizeGb": str(size),
        "family": family,
        "status": "READY",
        "selfLink": image_link(name),
    }


def _subnetwork(region: str) -> dict:
    return {
        "kind": "compute#subnetwork", "id": _id(region), "name": "default", "region": link("regions", region),
        "network": link("global", "networks", "default"), "ipCidrRange": "10.128.0.0/20", "privateIpGoogleAccess": True,
        "selfLink": link("regions", region, "subnetworks", "default"),
    }  # fmt: skip


_NETWORK = {"kind": "compute#network", "id": "1000000000000000001", "name": "default", "autoCreateSubnetworks": True,
            "selfLink": link("global", "networks", "default")}  # fmt: skip


def _one(found, what: str):
    if found is None:
        raise not_found(what)
    return found


def _get_image(world, call) -> dict:
    name = f"projects/{call.path['project']}/global/images/{call.path['image']}"
    return _one(_image(name) if name in catalog.IMAGES else None, name)


def _family(world, call) -> dict:
    name = catalog.image(f"projects/{call.path['project']}/global/images/family/{call.path['family']}")
    return _one(_image(name) if name else None, call.path["family"])


def _get(collection: str):
    def handler(world, call) -> dict:
        name = call.path[_SINGULAR[collection]]
        return _one(next((item for item in _items(collection, call) if item["name"] == name), None), name)

    return handler


def _items(collection: str, call) -> list:
    match collection:
        case "zones":
            return [_zone(name) for name in sorted(catalog.ZONES)]
        case "regions":
            return [_region(name) for name in sorted(catalog.REGIONS)]
        case "machineTypes":
            return _machines(call.zone.name)
        case "diskTypes":
            return [_disk_type(call.zone.name, name) for name in sorted(catalog.DISK_TYPES)]
        case "networks":
            return [_NETWORK]
        case "subnetworks":
            region = call.path["region"]
            if region not in catalog.REGIONS:
                raise invalid(f"Invalid value for field 'region': '{region}'. Unknown region.")
            return [_subnetwork(region)]
        case other:
            raise AssertionError(other)


def _list(collection: str, schema: str):
    return lambda world, call: listed(world, call, collection, schema, _items(collection, call))


def _types_everywhere(world, call) -> dict:
    return scoped(world, call, "machineTypes", "MachineType", {zone: _machines(zone) for zone in sorted(catalog.ZONES)})


_SINGULAR = {
    "zones": "zone",
    "regions": "region",
    "machineTypes": "machineType",
    "diskTypes": "diskType",
    "networks": "network",
    "subnetworks": "subnetwork",
}
_SCHEMAS = {collection: name[0].upper() + name[1:] for collection, name in _SINGULAR.items()}
HANDLERS = {
    "projects.get": _project,
    "images.get": _get_image,
    "images.getFromFamily": _family,
    "machineTypes.aggregatedList": _types_everywhere,
    **{f"{collection}.get": _get(collection) for collection in _SINGULAR},
    **{f"{collection}.list": _list(collection, schema) for collection, schema in _SCHEMAS.items()},
}
