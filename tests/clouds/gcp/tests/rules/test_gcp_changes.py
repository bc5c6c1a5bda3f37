"""What a person changes about what stays: a disk's size and speed, a stopped machine's type."""

import pytest

ZONE = "us-central1-a"
DISK = f"zones/{ZONE}/disks/d"


def resize(cloud, size, disk: str = DISK) -> dict:
    return cloud.compute("POST", f"{disk}/resize", {"sizeGb": size})


def set_type(cloud, kind: str, zone: str = ZONE) -> dict:
    return cloud.do("setMachineType", body={"machineType": f"zones/{zone}/machineTypes/{kind}"})


def test_a_disk_grows(cloud):
    cloud.new_disk()
    operation = resize(cloud, "30")
    assert operation["operationType"] == "resizeDisk"
    assert cloud.ended(operation) is None
    assert cloud.disk("d")["sizeGb"] == "30"


def test_the_machine_that_holds_it_shows_the_new_size(cloud):
    cloud.running()
    resize(cloud, 30, f"zones/{ZONE}/disks/m")
    assert cloud.instance()["disks"][0]["diskSizeGb"] == "30" == cloud.disk("m")["sizeGb"]


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("invalid", {"sizeGb": "20"}),
        ("invalid", {"sizeGb": "10"}),
        ("invalid", {"sizeGb": "70000"}),
        ("invalid", {"size": "30"}),
        ("required", {}),
    ],
)
def test_a_disk_never_shrinks(cloud, refused, code, body):
    cloud.new_disk()
    with refused(code, 400):
        cloud.compute("POST", f"{DISK}/resize", body)
    assert cloud.disk("d")["sizeGb"] == "20"


def test_a_disk_that_is_not_ready_or_not_there_does_not_grow(cloud, refused):
    with refused("notFound", 404):
        resize(cloud, 30)
    cloud.compute("POST", f"zones/{ZONE}/disks", {"name": "d", "type": f"zones/{ZONE}/diskTypes/pd-ssd"})
    with refused("resourceNotReady", 400):
        resize(cloud, 300)


def test_a_quota_holds_it_back(cloud):
    cloud.new_disk()
    cloud.post("settings", {"max_disks_gib": 25})
    assert cloud.ended(resize(cloud, 30)) == "QUOTA_EXCEEDED"
    assert cloud.disk("d")["sizeGb"] == "20"


@pytest.mark.parametrize("how", [{"paths": ["provisionedIops", "sizeGb"]}, {"updateMask": "provisionedIops,sizeGb"}])
def test_a_disk_is_updated_in_what_is_named(cloud, how):
    cloud.new_disk()
    body = {"provisionedIops": "4000", "sizeGb": "40", "provisionedThroughput": "500"}
    operation = cloud.compute("PATCH", DISK, body, **how)
    assert operation["operationType"] == "update" and cloud.ended(operation) is None
    shown = cloud.disk("d")
    assert (shown["sizeGb"], shown["provisionedIops"], shown["provisionedThroughput"]) == ("40", "4000", "140")


@pytest.mark.parametrize(
    ("code", "http", "path", "body"),
    [
        ("invalid", 400, "sizeGb", {"sizeGb": "10"}),
        ("invalid", 400, "provisionedIops", {"provisionedIops": "11000"}),
        ("invalid", 400, "provisionedThroughput", {"provisionedThroughput": "2000"}),
        ("notImplemented", 501, "userLicenses", {}),
        ("required", 400, None, {"sizeGb": "40"}),
    ],
)
def test_an_update_has_its_limits(cloud, refused, code, http, path, body):
    cloud.new_disk()
    with refused(code, http):
        cloud.compute("PATCH", DISK, body, **({"paths": path} if path else {}))
    assert cloud.disk("d")["sizeGb"] == "20"


def test_a_stopped_machine_gets_another_type(cloud, refused):
    cloud.running()
    with refused("badRequest", 400, "TERMINATED"):
        set_type(cloud, "c4a-standard-8")
    cloud.do("stop")
    cloud.settled()
    operation = set_type(cloud, "c4a-standard-8")
    assert operation["operationType"] == "setMachineType" and cloud.ended(operation) is None
    assert cloud.instance()["machineType"].endswith(f"/zones/{ZONE}/machineTypes/c4a-standard-8")
    cloud.post("settings", {"max_vcpus": 4})
    assert cloud.ended(cloud.do("start")) == "QUOTA_EXCEEDED"


@pytest.mark.parametrize(
    ("code", "kind", "zone"),
    [
        ("invalid", "c4a-standard-3", ZONE),
        ("invalid", "c4a-standard-8", "us-central1-b"),
        ("badRequest", "c4-standard-8", ZONE),
        ("badRequest", "e2-standard-8", ZONE),
    ],
)
def test_what_a_machine_cannot_become(cloud, refused, code, kind, zone):
    cloud.running()
    cloud.do("stop")
    cloud.settled()
    with refused(code, 400):
        set_type(cloud, kind, zone)
    assert cloud.instance()["machineType"].endswith("/c4a-standard-4")
