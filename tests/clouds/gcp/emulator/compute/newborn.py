"""What a new disk is to be: type, size, image, speed, key, and the limits of each. It owns the body of a newborn
disk.

It must never put a disk into the world. Sources: Compute Engine documentation, "Persistent Disk" (sizes, no
provisioned speed), "About Hyperdisk Balanced" (size and performance limits), "General-purpose machine family" (disk
types of a series). That a bad image is a 400 with "The referenced image resource cannot be found":
docker-archive/infrakit.gcp issue 1.
"""

from .. import catalog
from ..errors import ApiError, already_exists, bad_request, invalid
from ..world import image_link, new_number
from .names import check_labels, check_name, fingerprint, placed

_STANDARD = {"pd-standard": 500}  # GB, when neither size nor image says; 100 for the others ("disks.insert", sizeGb)


def type_of(zone, wanted: str | None, field: str, machine: catalog.MachineType | None) -> str:
    """The disk's type, which the zone must have and the machine must take."""
    default = "pd-standard" if machine is None or "pd-standard" in machine.disks else "hyperdisk-balanced"
    kind = placed(wanted, zone, "diskTypes", field) if wanted else default
    if kind not in catalog.DISK_TYPES:
        raise invalid(
            f"Invalid value for field '{field}': '{wanted}'. The referenced diskType resource cannot be found."
        )
    fits(kind, machine)
    return kind


def fits(kind: str, machine: catalog.MachineType | None) -> None:
    if machine is not None and kind not in machine.disks:
        raise bad_request(f"[{kind}] features are not compatible for creating instance of type {machine.name}.")


def image_of(reference: str | None, field: str) -> str | None:
    if not reference:
        return None
    image = catalog.image(reference)
    if image is None:
        raise invalid(
            f"Invalid value for field '{field}': '{reference}'. The referenced image resource cannot be found."
        )
    return image


def size_of(wanted, kind: str, image: str | None, field: str) -> int:
    least, most = catalog.DISK_TYPES[kind][0]
    of_image = catalog.IMAGES[image][1] if image else 0
    size = int(wanted) if wanted is not None else of_image or _STANDARD.get(kind, 100)
    if size < of_image:
        raise invalid(
            f"Invalid value for field '{field}': '{size}'. Requested disk size cannot be smaller than the image size ({of_image} GB)"
        )
    if not least <= size <= most:
        raise invalid(f"Invalid value for field '{field}': '{size}'. Disk size must be from {least} to {most} GB")
    return size


def speed_of(wanted: dict, kind: str, size: int, field: str) -> dict:
    """Provisioned IOPS and throughput: ranges, at most 500 IOPS a GiB, at most a quarter MiB/s an IOPS."""
    _, iops_range, rate_range = catalog.DISK_TYPES[kind]
    for name, limits in (("provisionedIops", iops_range), ("provisionedThroughput", rate_range)):
        if name not in wanted:
            continue
        if limits is None:
            raise invalid(
                f"Invalid value for field '{field}.{name}': '{wanted[name]}'. {kind} takes none: its speed follows its size"
            )
        if not limits[0] <= int(wanted[name]) <= limits[1]:
            raise invalid(
                f"Invalid value for field '{field}.{name}': '{wanted[name]}'. Must be from {limits[0]} to {limits[1]}"
            )
    if iops_range is None:
        return {}
    # The defaults are the baseline that costs nothing more; what Google really shows is assumed.
    iops, rate = (
        int(wanted.get("provisionedIops", iops_range[0])),
        int(wanted.get("provisionedThroughput", rate_range[0])),
    )
    if iops > max(500 * size, iops_range[0]):
        raise invalid(f"Invalid value for field '{field}.provisionedIops': '{iops}'. Too many for {size} GB")
    if rate * 4 > max(iops, 4 * rate_range[0]):
        raise invalid(f"Invalid value for field '{field}.provisionedThroughput': '{rate}'. Too much for {iops} IOPS")
    return {"provisionedIops": str(iops), "provisionedThroughput": str(rate)}


def key_of(encryption: dict | None, field: str) -> str | None:
    if not encryption:
        return None
    if set(encryption) - {"kmsKeyName"}:
        raise ApiError(501, "notImplemented", f"'{field}': only kmsKeyName is emulated")
    return encryption.get("kmsKeyName")


def body(zone, name: str, kind: str, size: int, image: str | None, speed: dict, labels: dict, field: str) -> dict:
    """The disk as the API shows it, but for what time and its key give."""
    check_name(name, f"{field}.name")
    if name in zone.disks:
        raise already_exists(f"projects/{catalog.PROJECT}/zones/{zone.name}/disks/{name}")
    shown = {
        "kind": "compute#disk",
        "id": new_number(),
        "name": name,
        "sizeGb": str(size),
        "zone": zone.link(),
        "status": "CREATING",
        "type": zone.link("diskTypes", kind),
        "selfLink": zone.link("disks", name),
        "labels": check_labels(labels),
        "labelFingerprint": fingerprint(),
        "physicalBlockSizeBytes": "4096",
        "users": [],
        **speed,
    }
    if image:
        shown.update(sourceImage=image_link(image), architecture=catalog.IMAGES[image][0])
    return shown
