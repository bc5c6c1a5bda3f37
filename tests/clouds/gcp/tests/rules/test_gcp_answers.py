"""What is answered has only what Google's schemas have, of the right type: clients must be able to read it."""

import importlib.resources
import json

import pytest

ZONE = "zones/us-central1-a"
PYTHON = {"string": str, "integer": int, "number": (int, float), "boolean": bool}


@pytest.fixture(scope="module")
def schemas() -> dict:
    files = importlib.resources.files("googleapiclient.discovery_cache.documents")
    return {
        name: json.loads(files.joinpath(f"{name}.v1.json").read_text())["schemas"] for name in ("compute", "cloudkms")
    }


def check(schemas: dict, described: dict, value, at: str) -> None:
    if "$ref" in described:
        described = {"type": "object", **schemas[described["$ref"]]}
    match described.get("type"):
        case "array":
            assert isinstance(value, list) and value, f"{at}: an empty list is not shown"
            for item in value:
                check(schemas, described["items"], item, f"{at}[]")
        case "object" | None:
            known, others = described.get("properties", {}), described.get("additionalProperties")
            for field, inner in value.items():
                assert field in known or others, f"{at}.{field} is not in the schema"
                check(schemas, known.get(field, others), inner, f"{at}.{field}")
        case kind:
            assert isinstance(value, PYTHON[kind]), f"{at}: {value!r} is not a {kind}"
            assert kind == "boolean" or not isinstance(value, bool), at
            if "enum" in described:
                assert value in described["enum"], f"{at}: {value}"
            if described.get("format") in ("int64", "uint64"):
                int(value)


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        (f"{ZONE}/instances", "InstanceList"),
        (f"{ZONE}/instances/m", "Instance"),
        (f"{ZONE}/disks", "DiskList"),
        (f"{ZONE}/disks/cache", "Disk"),
        (f"{ZONE}/operations", "OperationList"),
        ("global/snapshots", "SnapshotList"),
        ("global/snapshots/s", "Snapshot"),
        ("global/operations", "OperationList"),
        (f"{ZONE}/machineTypes", "MachineTypeList"),
        (f"{ZONE}/diskTypes", "DiskTypeList"),
        ("aggregated/instances", "InstanceAggregatedList"),
        ("aggregated/disks", "DiskAggregatedList"),
        ("aggregated/machineTypes", "MachineTypeAggregatedList"),
        ("zones", "ZoneList"),
        ("regions", "RegionList"),
        ("regions/us-east1/subnetworks", "SubnetworkList"),
        ("global/networks", "NetworkList"),
        ("global/images/builder-arm64", "Image"),
    ],
)
def test_answers_of_compute(cloud, schemas, path, schema):
    key = cloud.key()
    boot = cloud.newborn(boot=True, autoDelete=True, key=key, sourceImage=cloud.image("arm64"))
    more = {"labels": {"a": "b"}, "metadata": {"items": [{"key": "k", "value": "v"}]}, "tags": {"items": ["t"]}}
    account = {"email": "a@b.c", "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}
    interface = {"network": "global/networks/default", "accessConfigs": [{"name": "External NAT"}]}
    disks = [boot, {**cloud.newborn(key=key, diskName="cache", labels={"c": "d"}), "deviceName": "cache"}]
    cloud.running(disks=disks, serviceAccounts=[account], networkInterfaces=[interface], **more)
    snapshot = {"name": "s", "sourceDisk": f"{ZONE}/disks/cache", "labels": {"a": "b"}, "description": "d"}
    cloud.compute("POST", "global/snapshots", snapshot)
    cloud.post("settings", {"capacity_code": "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"})
    cloud.post("capacity", [{}])
    cloud.ended(cloud.insert("n"))
    check(schemas["compute"], {"$ref": schema}, cloud.compute("GET", path), schema)


def test_the_project(cloud, schemas):
    check(schemas["compute"], {"$ref": "Project"}, cloud.ask("GET", "/compute/v1/projects/emulated-project"), "Project")


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("keyRings", "ListKeyRingsResponse"),
        ("keyRings/r", "KeyRing"),
        ("keyRings/r/cryptoKeys", "ListCryptoKeysResponse"),
        ("keyRings/r/cryptoKeys/k", "CryptoKey"),
        ("keyRings/r/cryptoKeys/k/cryptoKeyVersions", "ListCryptoKeyVersionsResponse"),
        ("keyRings/r/cryptoKeys/k:getIamPolicy", "Policy"),
    ],
)
def test_answers_of_kms(cloud, schemas, path, schema):
    key = cloud.key(labels={"a": "b"})
    cloud.kms("POST", f"{key}/cryptoKeyVersions", {})
    cloud.kms("POST", f"{key}/cryptoKeyVersions/2:destroy", {})
    answer = cloud.kms("GET", f"projects/emulated-project/locations/us-central1/{path}")
    check(schemas["cloudkms"], {"$ref": schema}, answer, schema)
