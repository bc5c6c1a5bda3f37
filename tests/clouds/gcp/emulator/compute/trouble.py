"""Why a change that was taken up comes to nothing: no room, no quota, a bad key. It owns the operation errors.

An error is (code, message, HTTP status, details). Sources: Compute Engine documentation, "Troubleshooting resource
availability errors", "Allocation quotas"; "Protect resources by using Cloud KMS keys". That a bad key is refused at
once with 400 and "Cloud KMS error when using key": kubernetes-sigs/gcp-compute-persistent-disk-csi-driver pull
request 590. The code of an operation that fails by its key (`key_check` "async") is assumed.
"""

from .. import catalog, kms
from ..errors import ApiError, bad_request
from .names import last


def no_room(world, call, machine_name: str):
    zone = call.zone
    if not call.is_full and not world.out_of_capacity(zone.name, machine_name):
        return None
    place = f"projects/{catalog.PROJECT}/zones/{zone.name}"
    message = f"The zone '{place}' does not have enough resources available to fulfill the request.  Try a different zone, or try again later."
    code, details = world.settings.capacity_code, []
    if code.endswith("_WITH_DETAILS"):
        # As in public reports of this code; the documentation shows only the code.
        told = {"zone": zone.name, "vmType": machine_name, "attachment": "", "zonesAvailable": ""}
        details = [
            {"errorInfo": {"reason": "resource_availability", "domain": "compute.googleapis.com", "metadatas": told}}
        ]
    return code, message, 503, details


def over_quota(world, zone, vcpus: int, gigabytes: int):
    """What a region may hold: vCPUs of machines that are not stopped, and gigabytes of disks."""
    used_vcpus = used_gigabytes = 0
    for other in world.zones.values():
        if other.region == zone.region:
            used_gigabytes += sum(int(shown.body["sizeGb"]) for shown in other.disks.values())
            for shown in other.instances.values():
                if shown.body["status"] != "TERMINATED":
                    used_vcpus += catalog.MACHINE_TYPES[last(shown.body["machineType"])].vcpus
    settings = world.settings
    for metric, more, used, most in (
        ("CPUS", vcpus, used_vcpus, settings.max_vcpus),
        ("SSD_TOTAL_GB", gigabytes, used_gigabytes, settings.max_disks_gib),
    ):
        if most is None or not more or used + more <= most:
            continue
        message = f"Quota '{metric}' exceeded.  Limit: {most}.0 in region {zone.region}."
        if settings.quota_sync or settings.quota == "sync":
            raise ApiError(403, "quotaExceeded", message)
        return "QUOTA_EXCEEDED", message, 403, []
    return None


def bad_key(world, problem: str | None):
    """A refusal at once, or the error of the operation, as the setting has it."""
    if problem and world.settings.key_check == "sync":
        raise bad_request(problem)
    return ("RESOURCE_OPERATION_ERROR", problem, 400, []) if problem else None


def bad_disk_key(world, zone, disk_body: dict):
    """The key of a disk that exists: the version that it was made with must be usable."""
    version = disk_body.get("diskEncryptionKey", {}).get("kmsKeyName")
    return bad_key(world, kms.usable(world, version, zone.region, version)[1]) if version else None
