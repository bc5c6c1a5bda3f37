"""What Google has that nobody makes: the project, zones, machine types, images, disk types. Pure data.

It must never be the product's own catalogue read back: a wrong row there has to fail here. Sources: Compute Engine
documentation, "Regions and zones", "General-purpose machine family" (types, and the disk types of each series), "About
Hyperdisk" and "Persistent Disk" (limits), "Operating system details" (public images).
"""

import re

PROJECT = "emulated-project"
PROJECT_NUMBER = "123456789012"
SERVICE_AGENT = f"serviceAccount:service-{PROJECT_NUMBER}@compute-system.iam.gserviceaccount.com"
DEFAULT_ACCOUNT = f"{PROJECT_NUMBER}-compute@developer.gserviceaccount.com"

_LETTERS = {
    "us-central1": "abcf", "us-east1": "bcd", "us-east4": "abc", "us-east5": "abc", "us-south1": "abc",
    "us-west1": "abc", "us-west2": "abc", "us-west3": "abc", "us-west4": "abc",
    "europe-central2": "abc", "europe-north1": "abc", "europe-north2": "abc", "europe-southwest1": "abc",
    "europe-west1": "bcd", "europe-west2": "abc", "europe-west3": "abc", "europe-west4": "abc", "europe-west6": "abc",
    "europe-west8": "abc", "europe-west9": "abc", "europe-west10": "abc", "europe-west12": "abc",
    "asia-east1": "abc", "northamerica-northeast1": "abc",
}  # fmt: skip
REGIONS = {region: [f"{region}-{letter}" for letter in letters] for region, letters in _LETTERS.items()}
ZONES = {zone: region for region, zones in REGIONS.items() for zone in zones}
# Where Cloud KMS has key rings, besides ("Cloud KMS locations").
MULTI_REGIONS = {"global", "us", "europe", "nam4", "eur4", "asia"}

_HYPERDISK = ["hyperdisk-balanced"]
_PERSISTENT = ["pd-standard", "pd-balanced", "pd-ssd"]
_C4A = {"us-central1", "us-east1", "us-east4", "europe-west1", "europe-west3", "europe-west4"}
_T2A = {"us-central1-a", "us-central1-b", "us-central1-f", "europe-west4-a", "europe-west4-b", "europe-west4-c"}
# series and shape: architecture, GB a vCPU, disk types, whether a zone has it
_SHAPES = {
    "c4-highcpu": ("X86_64", 2, _HYPERDISK, lambda zone: zone != "us-central1-f"),
    "c4-standard": ("X86_64", 3.75, _HYPERDISK, lambda zone: zone != "us-central1-f"),
    "n4-highcpu": ("X86_64", 2, _HYPERDISK, lambda zone: True),
    "n4-standard": ("X86_64", 4, _HYPERDISK, lambda zone: True),
    "c4a-highcpu": ("ARM64", 2, _HYPERDISK, lambda zone: ZONES[zone] in _C4A and zone != "us-central1-f"),
    "c4a-standard": ("ARM64", 4, _HYPERDISK, lambda zone: ZONES[zone] in _C4A and zone != "us-central1-f"),
    "e2-standard": ("X86_64", 4, _PERSISTENT, lambda zone: True),
    "n2-standard": ("X86_64", 4, _PERSISTENT, lambda zone: True),
    "t2a-standard": ("ARM64", 4, _PERSISTENT, lambda zone: zone in _T2A),
}
_VCPUS = (2, 4, 8, 16, 32)

# disk type: sizes in GB, and the ranges of what can be provisioned (None: nothing can)
DISK_TYPES = {
    "pd-standard": ((10, 65536), None, None),
    "pd-balanced": ((10, 65536), None, None),
    "pd-ssd": ((10, 65536), None, None),
    "hyperdisk-balanced": ((4, 65536), (3000, 160000), (140, 2400)),
}


class MachineType:
    def __init__(self, name: str, arch: str, vcpus: int, memory_mb: int, disks: list, has):
        self.name, self.arch, self.vcpus, self.memory_mb, self.disks, self._has = (
            name,
            arch,
            vcpus,
            memory_mb,
            disks,
            has,
        )

    def in_zone(self, zone: str) -> bool:
        return self._has(zone)


MACHINE_TYPES = {
    f"{shape}-{vcpus}": MachineType(f"{shape}-{vcpus}", arch, vcpus, int(vcpus * ratio * 1024), disks, has)
    for shape, (arch, ratio, disks, has) in _SHAPES.items()
    for vcpus in _VCPUS
}

# "projects/P/global/images/NAME": (architecture, GB, family)
IMAGES = {
    "projects/debian-cloud/global/images/debian-12-bookworm-v20261110": ("X86_64", 10, "debian-12"),
    "projects/debian-cloud/global/images/debian-12-bookworm-arm64-v20261110": ("ARM64", 10, "debian-12-arm64"),
    "projects/ubuntu-os-cloud/global/images/ubuntu-2404-noble-amd64-v20261101": ("X86_64", 10, "ubuntu-2404-lts-amd64"),
    "projects/ubuntu-os-cloud/global/images/ubuntu-2404-noble-arm64-v20261101": ("ARM64", 10, "ubuntu-2404-lts-arm64"),
    f"projects/{PROJECT}/global/images/builder-x86-64": ("X86_64", 10, "builder"),
    f"projects/{PROJECT}/global/images/builder-arm64": ("ARM64", 10, "builder-arm64"),
}


def image(reference: str):
    """The full name of what a sourceImage refers to: an image, or the newest of a family."""
    path = reference.partition("/compute/v1/")[2] or reference
    if path.startswith("global/"):
        path = f"projects/{PROJECT}/{path}"
    if path in IMAGES:
        return path
    # The newest of a family, by its old name or as gcloud says it ("imageFamilyViews").
    family = re.fullmatch(r"projects/([^/]+)/(?:global/images/family|zones/[^/]+/imageFamilyViews)/([^/]+)", path)
    for name, (_, _, of_image) in IMAGES.items():
        if family and (name.split("/")[1], of_image) == family.groups():
            return name
    return None
