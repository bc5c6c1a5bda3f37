"""instances.insert: every check of the request, and what comes of it. It owns the birth of instances and their disks.

Source: Compute Engine API reference, `instances.insert`; "About Hyperdisk" and "Persistent Disk" for limits; "Protect
resources by using Cloud KMS keys" for what is checked of a key.
"""

import base64
import os
import random
import re

from .. import catalog, kms
from ..errors import already_exists, bad_request, in_use, invalid, not_found
from ..world import Shown, link, new_number, stamp
from . import operations

_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_VALUE = re.compile(r"[a-z0-9_-]{0,63}")


def fingerprint() -> str:
    return base64.urlsafe_b64encode(os.urandom(6)).decode()


def check_labels(labels: dict) -> None:
    if len(labels) > 64:
        raise invalid("Invalid value for field 'labels': at most 64 labels")
    for key, value in labels.items():
        if not _LABEL.fullmatch(key):
            raise invalid(f"Invalid value for field 'labels': key '{key}'")
        if not _VALUE.fullmatch(value):
            raise invalid(f"Invalid value for field 'labels.{key}': '{value}'")


def _last(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _placed(path: str, zone, collection: str, field: str) -> str:
    """The name at the end of a URL, which must be of that zone and collection."""
    found = re.fullmatch(rf"(?:https?://[^/]+/compute/v1/)?(?:projects/([^/]+)/)?zones/([^/]+)/{collection}/([^/]+)", path or "")
    if not found:
        raise invalid(f"Invalid value for field '{field}': '{path}'. The URL is malformed.")
    project, place, name = found.groups()
    if place != zone.name:
        raise invalid(f"Invalid value for field '{field}': '{path}'. It must be in zone {zone.name}.")
    if project not in (None, catalog.PROJECT):
        raise not_found(path)
    return name


class _Disk:
    """A disk of the request: a newborn, or one that exists."""

    def __init__(self, world, call, wanted: dict, place: int, machine: catalog.MachineType):
        self.wanted, self.zone, self.field = wanted, call.zone, f"resource.disks[{place}]"
        self.boot = bool(wanted.get("boot"))
        self.source = self.body = self.version = None
        params = wanted.get("initializeParams")
        if bool(wanted.get("source")) == bool(params):
            raise invalid(f"Invalid value for field '{self.field}': exactly one of source and initializeParams")
        if wanted.get("source"):
            self._existing(world)
        else:
            self._newborn(world, call, params, machine)

    def _existing(self, world) -> None:
        name = _placed(self.wanted["source"], self.zone, "disks", f"{self.field}.source")
        held = self.zone.disks.get(name)
        if held is None:
            raise not_found(f"projects/{catalog.PROJECT}/zones/{self.zone.name}/disks/{name}")
        if held.body.get("users") and self.wanted.get("mode", "READ_WRITE") == "READ_WRITE":
            raise in_use(held.body["selfLink"], held.body["users"][0])
        self.source, self.name = held, name

    def _newborn(self, world, call, params: dict, machine: catalog.MachineType) -> None:
        self.name = params.get("diskName") or f"{call.body['name']}-{random.randrange(10**6)}"
        if self.name in self.zone.disks:
            raise already_exists(f"projects/{catalog.PROJECT}/zones/{self.zone.name}/disks/{self.name}")
        default = "pd-standard" if "pd-standard" in machine.disks else "hyperdisk-balanced"
        kind = _placed(params["diskType"], self.zone, "diskTypes", f"{self.field}.initializeParams.diskType") if params.get("diskType") else default  # fmt: skip
        if kind not in catalog.DISK_TYPES:
            raise not_found(f"projects/{catalog.PROJECT}/zones/{self.zone.name}/diskTypes/{kind}")
        if kind not in machine.disks:
            raise bad_request(f"[{kind}] features are not compatible for creating instance of type {machine.name}.")
        (least, most), iops, rate = catalog.DISK_TYPES[kind]
        image = None
        if params.get("sourceImage"):
            image = catalog.image(params["sourceImage"])
            if image is None:
                raise not_found(params["sourceImage"])
            arch, image_gb, _ = catalog.IMAGES[image]
            if self.boot and arch != machine.arch:
                raise bad_request(f"The image's architecture {arch} is not that of {machine.name}, {machine.arch}.")
        size = int(params.get("diskSizeGb") or (image and catalog.IMAGES[image][1]) or (500 if least == 10 else 100))
        if not least <= size <= most or (image and size < catalog.IMAGES[image][1]):
            raise invalid(f"Invalid value for field '{self.field}.initializeParams.diskSizeGb': '{size}'")
        body = {}
        for field, limits in (("provisionedIops", iops), ("provisionedThroughput", rate)):
            if field in params:
                if limits is None or not limits[0] <= int(params[field]) <= limits[1]:
                    raise invalid(f"Invalid value for field '{self.field}.initializeParams.{field}': '{params[field]}'")
                body[field] = str(params[field])
        if "provisionedIops" in params and int(params["provisionedIops"]) > max(500 * size, 3000):
            raise invalid(f"Invalid value for field '{self.field}.initializeParams.provisionedIops': too many for {size} GB")
        check_labels(params.get("labels", {}))
        self.key = (self.wanted.get("diskEncryptionKey") or {}).get("kmsKeyName")
        self.body = {
            "kind": "compute#disk", "id": new_number(), "name": self.name, "sizeGb": str(size),
            "zone": self.zone.link().rstrip("/"), "status": "CREATING", "type": self.zone.link("diskTypes", kind),
            "selfLink": self.zone.link("disks", self.name), "labels": dict(params.get("labels", {})),
            "labelFingerprint": fingerprint(), "physicalBlockSizeBytes": "4096", **body,
        }  # fmt: skip
        if image:
            self.body.update(sourceImage=link().rstrip("/").rsplit("/", 2)[0] + "/" + image, architecture=machine.arch)

    def attached(self, index: int) -> dict:
        disk = self.body or self.source.body
        shown = {
            "kind": "compute#attachedDisk", "type": "PERSISTENT", "mode": self.wanted.get("mode", "READ_WRITE"),
            "source": disk["selfLink"], "deviceName": self.wanted.get("deviceName") or f"persistent-disk-{index}",
            "index": index, "boot": self.boot, "autoDelete": bool(self.wanted.get("autoDelete")),
            "interface": "NVME", "diskSizeGb": disk["sizeGb"],
        }  # fmt: skip
        if disk.get("architecture"):
            shown["architecture"] = disk["architecture"]
        if disk.get("diskEncryptionKey"):
            shown["diskEncryptionKey"] = disk["diskEncryptionKey"]
        return shown


def _insert(world, call) -> dict:
    if (again := operations.replayed(world, call)) is not None:
        return again
    zone, wanted = call.zone, call.body
    for query in ("sourceInstanceTemplate", "sourceMachineImage"):
        if query in call.query:
            raise invalid(f"{query} is not emulated")
    name = wanted.get("name", "")
    if not re.fullmatch(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?", name):
        raise invalid(f"Invalid value for field 'resource.name': '{name}'.")
    kind = _placed(wanted.get("machineType"), zone, "machineTypes", "resource.machineType")
    machine = catalog.MACHINE_TYPES.get(kind)
    if machine is None or not machine.in_zone(zone.name):
        raise invalid(f"Invalid value for field 'resource.machineType': machine type {kind} does not exist in zone '{zone.name}'.")
    if name in zone.instances:
        raise already_exists(f"projects/{catalog.PROJECT}/zones/{zone.name}/instances/{name}")
    check_labels(wanted.get("labels", {}))
    interfaces = [_interface(zone, interface) for interface in wanted.get("networkInterfaces", [])]
    if not interfaces:
        raise invalid("Invalid value for field 'resource.networkInterfaces': at least one network interface is required.")
    disks = [_Disk(world, call, disk, place, machine) for place, disk in enumerate(wanted.get("disks", []))]
    if sum(disk.boot for disk in disks) != 1 or not disks[0].boot:
        raise invalid("Invalid value for field 'resource.disks': exactly one boot disk is required, and it is the first.")
    if not disks[0].wanted.get("source") and "sourceImage" not in disks[0].body:
        raise invalid("Invalid value for field 'resource.disks[0]': the boot disk needs an image.")
    failure = _key_failure(world, zone, disks) or _quota(world, zone, machine, disks)
    if world.out_of_capacity(zone.name, machine.name):
        failure = exhausted(world, zone)
    return _born(world, call, machine, interfaces, disks, failure).body


def _key_failure(world, zone, disks: list):
    for disk in disks:
        held = disk.source.body.get("diskEncryptionKey", {}).get("kmsKeyName") if disk.source else disk.key
        if not held:
            continue
        version, problem = kms.usable(world, held, zone.region, held if disk.source else None)
        if problem and world.settings.key_check == "sync":
            raise bad_request(problem)
        if problem:
            return "KMS_KEY_UNUSABLE", problem, 400
        if disk.body:
            disk.body["diskEncryptionKey"] = {"kmsKeyName": version}
    return None


def _quota(world, zone, machine, disks: list):
    settings = world.settings
    vcpus = gigabytes = 0
    for other in world.zones.values():
        if other.region != zone.region:
            continue
        for shown in other.instances.values():
            if shown.body["status"] != "TERMINATED":
                vcpus += catalog.MACHINE_TYPES[_last(shown.body["machineType"])].vcpus
        gigabytes += sum(int(shown.body["sizeGb"]) for shown in other.disks.values())
    gigabytes += sum(int(disk.body["sizeGb"]) for disk in disks if disk.body)
    for metric, used, most in (
        ("CPUS", vcpus + machine.vcpus, settings.max_vcpus),
        ("SSD_TOTAL_GB", gigabytes, settings.max_disks_gb),
    ):
        if most is not None and used > most:
            message = f"Quota '{metric}' exceeded.  Limit: {most}.0 in region {zone.region}."
            if settings.quota == "sync":
                from ..errors import ApiError

                raise ApiError(403, "quotaExceeded", message)
            return "QUOTA_EXCEEDED", message, 403
    return None


def exhausted(world, zone):
    message = (
        f"The zone 'projects/{catalog.PROJECT}/zones/{zone.name}' does not have enough resources available to fulfill the "
        "request.  Try a different zone, or try again later."
    )
    return world.settings.capacity_code, message, 503


def _interface(zone, wanted: dict) -> dict:
    subnetwork = wanted.get("subnetwork")
    if not subnetwork:
        raise invalid("Invalid value for field 'resource.networkInterfaces[0]': a subnetwork is required.")
    found = re.fullmatch(r"(?:https?://[^/]+/compute/v1/)?(?:projects/([^/]+)/)?regions/([^/]+)/subnetworks/([^/]+)", subnetwork)
    if not found or found[2] != zone.region:
        raise invalid(f"Invalid value for field 'resource.networkInterfaces[0].subnetwork': '{subnetwork}'.")
    if found[3] != "default" or found[1] not in (None, catalog.PROJECT):
        raise not_found(subnetwork)
    shown = {
        "kind": "compute#networkInterface", "name": "nic0", "network": link("global", "networks", "default"),
        "subnetwork": link("regions", zone.region, "subnetworks", "default"), "stackType": "IPV4_ONLY",
        "networkIP": f"10.128.{random.randrange(256)}.{random.randrange(2, 255)}", "fingerprint": fingerprint(),
    }  # fmt: skip
    if wanted.get("accessConfigs"):
        shown["accessConfigs"] = [
            {"kind": "compute#accessConfig", "type": "ONE_TO_ONE_NAT", "natIP": f"203.0.113.{random.randrange(2, 255)}", **config}
            for config in wanted["accessConfigs"]
        ]
    return shown


def _born(world, call, machine, interfaces: list, disks: list, failure) -> Shown:
    now, zone, wanted = world.now(), call.zone, call.body
    name = wanted["name"]
    scheduling = {"onHostMaintenance": "MIGRATE", "automaticRestart": True, "preemptible": False, "provisioningModel": "STANDARD"}
    body = {
        "kind": "compute#instance", "id": new_number(), "name": name, "zone": zone.link().rstrip("/"),
        "creationTimestamp": stamp(now), "machineType": zone.link("machineTypes", machine.name), "status": "PROVISIONING",
        "cpuPlatform": "Unknown CPU Platform", "selfLink": zone.link("instances", name), "networkInterfaces": interfaces,
        "labels": dict(wanted.get("labels", {})), "labelFingerprint": fingerprint(), "fingerprint": fingerprint(),
        "metadata": {"kind": "compute#metadata", "fingerprint": fingerprint(), **wanted.get("metadata", {})},
        "tags": {"fingerprint": fingerprint(), **wanted.get("tags", {})}, "canIpForward": bool(wanted.get("canIpForward")),
        "scheduling": {**scheduling, **wanted.get("scheduling", {})}, "startRestricted": False,
        "deletionProtection": bool(wanted.get("deletionProtection")),
        "shieldedInstanceConfig": {"enableSecureBoot": False, "enableVtpm": True, "enableIntegrityMonitoring": True,
                                   **wanted.get("shieldedInstanceConfig", {})},
        "shieldedInstanceIntegrityPolicy": {"updateAutoLearnPolicy": True},
    }  # fmt: skip
    if wanted.get("serviceAccounts"):
        body["serviceAccounts"] = wanted["serviceAccounts"]
    operation = operations.begin(world, call, "insert", body["selfLink"], body["id"])
    instance = Shown(now, body)
    zone.instances[name] = instance
    newborns = []
    for disk in disks:
        shown = disk.source
        if disk.body:
            shown = Shown(now, {**disk.body, "creationTimestamp": stamp(now)})
            zone.disks[disk.name] = shown
            newborns.append(shown)
        shown.body.update(users=[body["selfLink"]], lastAttachTimestamp=stamp(now))
        shown.show(now)
    body["disks"] = [disk.attached(index) for index, disk in enumerate(disks)]
    instance.show(now)

    def stage(at: float) -> None:
        if zone.instances.get(name) is instance and instance.body["status"] == "PROVISIONING":
            instance.body["status"] = "STAGING"
            instance.show(at)

    def end(at: float) -> None:
        operations.finish(operation, at, failure)
        if zone.instances.get(name) is not instance or instance.body["status"] not in ("PROVISIONING", "STAGING"):
            return
        if failure:
            _undo(zone, instance, newborns, disks, at)
            return
        for shown in newborns:
            shown.body["status"] = "READY"
            shown.show(at)
        instance.body.update(status="RUNNING", lastStartTimestamp=stamp(at), cpuPlatform="Emulated")
        instance.show(at)

    settle = world.settings.settle
    world.after(now + settle * 0.5, stage)
    world.after(now + settle, end)
    world.settle()
    return operation


def _undo(zone, instance: Shown, newborns: list, disks: list, at: float) -> None:
    """A failed insertion leaves nothing, and lets go of what was there."""
    zone.instances.pop(instance.body["name"])
    zone.graves["instances"].append(instance)
    for disk in disks:
        if disk.source:
            disk.source.body["users"] = []
            disk.source.show(at)
    for shown in newborns:
        zone.disks.pop(shown.body["name"], None)
        zone.graves["disks"].append(shown)
        shown.gone(at)
    instance.gone(at)


HANDLERS = {"instances.insert": _insert}
