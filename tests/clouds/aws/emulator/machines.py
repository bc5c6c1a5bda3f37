"""Instance types: architecture, vCPUs, and the zones that offer them. The data is what moto brings along, read once.

It must never import moto: that takes a second, and a launch needs only these tables.
"""

import functools
import gzip
import importlib.util
import json
import pathlib

from .errors import AwsError, bad_value


@functools.cache
def _resources() -> pathlib.Path:
    spec = importlib.util.find_spec("moto")
    return pathlib.Path(spec.submodule_search_locations[0]) / "ec2" / "resources"


@functools.cache
def _types() -> dict[str, tuple[tuple[str, ...], int]]:
    with gzip.open(_resources() / "instance_types.json.gz") as file:
        rows = json.load(file)
    return {
        name: (tuple(row["ProcessorInfo"]["SupportedArchitectures"]), row["VCpuInfo"]["DefaultVCpus"])
        for name, row in rows.items()
    }


@functools.cache
def _offered(region: str) -> dict[str, frozenset[str]]:
    path = _resources() / "instance_type_offerings" / "availability-zone" / f"{region}.json.gz"
    if not path.exists():
        return {}
    zones: dict[str, set[str]] = {}
    with gzip.open(path) as file:
        for row in json.load(file):
            zones.setdefault(row["InstanceType"], set()).add(row["Location"])
    return {name: frozenset(found) for name, found in zones.items()}


def vcpus(machine: str) -> int:
    return _types()[machine][1]


def zones_of(region: str, machine: str) -> frozenset[str]:
    return _offered(region).get(machine, frozenset())


def check(machine: str, architecture: str, region: str, zone: str | None) -> None:
    """The type exists, has the image's architecture, and is offered in the zone.

    InvalidParameterValue for the architecture: message as seen in skypilot issue 6315 and eksctl issue 8235.
    Unsupported for the zone: "Troubleshoot Amazon EC2 instance launch issues" and errors-overview, "Unsupported".
    """
    known = _types().get(machine)
    if known is None:
        raise bad_value(f"Invalid value '{machine}' for InstanceType.")
    if architecture not in known[0]:
        raise bad_value(
            f"The architecture '{known[0][0]}' of the specified instance type does not match the architecture "
            f"'{architecture}' of the specified AMI. Specify an instance type and an AMI that have matching "
            "architectures, and try again."
        )
    offered = zones_of(region, machine)
    if not offered or (zone is not None and zone not in offered):
        raise AwsError(
            "Unsupported",
            f"Your requested instance type ({machine}) is not supported in your requested Availability Zone ({zone}). "
            f"Please retry your request by choosing {', '.join(sorted(offered)) or 'another region'}.",
        )
