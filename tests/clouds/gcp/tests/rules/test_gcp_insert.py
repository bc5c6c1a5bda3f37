"""instances.insert: what is refused, and what comes of what is not."""

import base64

import pytest

BASE = "https://www.googleapis.com/compute/v1/projects/emulated-project"


def test_an_operation_goes_its_way_and_so_does_the_instance(cloud):
    operation = cloud.insert()
    instance = cloud.instance()
    assert operation["status"] == "PENDING" and operation["operationType"] == "insert"
    assert operation["targetId"] == instance["id"] and operation["targetLink"] == instance["selfLink"]
    assert instance["status"] == "PROVISIONING" and "lastStartTimestamp" not in instance
    cloud.advance(31)
    assert cloud.operation(operation)["status"] == "RUNNING"
    assert cloud.instance()["status"] == "STAGING"
    cloud.advance(30)
    done = cloud.operation(operation)
    assert (done["status"], done["progress"]) == ("DONE", 100) and "error" not in done and done["endTime"]
    assert cloud.instance()["status"] == "RUNNING" and cloud.instance()["lastStartTimestamp"]


def test_an_instance_is_shown_as_google_shows_it(cloud):
    cache = {**cloud.newborn(diskName="cache", diskSizeGb="60", labels={"a": ""}), "deviceName": "cache"}
    boot = cloud.newborn(boot=True, autoDelete=True, sourceImage=cloud.image("arm64"))
    shown = cloud.running(
        disks=[boot, cache], labels={"l": "v"}, tags={"items": ["t"]}, metadata={"items": [{"key": "k", "value": "v"}]}
    )
    assert shown["machineType"] == f"{BASE}/zones/us-central1-a/machineTypes/c4a-standard-4"
    assert shown["zone"] == f"{BASE}/zones/us-central1-a" and shown["id"].isdigit()
    assert shown["labels"] == {"l": "v"} and shown["tags"]["items"] == ["t"]
    assert shown["shieldedInstanceConfig"] == {
        "enableSecureBoot": False,
        "enableVtpm": True,
        "enableIntegrityMonitoring": True,
    }
    assert "serviceAccounts" not in shown and "accessConfigs" not in shown["networkInterfaces"][0]
    base64.urlsafe_b64decode(shown["labelFingerprint"])
    first, second = shown["disks"]
    assert (first["boot"], first["index"], first["autoDelete"], first["architecture"]) == (True, 0, True, "ARM64")
    assert (second["deviceName"], second["index"], second["mode"], second["type"]) == (
        "cache",
        1,
        "READ_WRITE",
        "PERSISTENT",
    )
    disk = cloud.disk("cache")
    assert second["source"] == disk["selfLink"] and disk["users"] == [shown["selfLink"]]
    assert (disk["sizeGb"], disk["status"], disk["labels"]) == ("60", "READY", {"a": ""})
    assert (disk["provisionedIops"], disk["provisionedThroughput"]) == ("3000", "140")
    assert cloud.disk("m")["sourceImage"].endswith("/global/images/builder-arm64") and "users" in cloud.disk("m")


def test_an_external_address_only_on_demand(cloud):
    shown = cloud.running(networkInterfaces=[{"accessConfigs": [{"type": "ONE_TO_ONE_NAT"}]}])
    assert shown["networkInterfaces"][0]["accessConfigs"][0]["natIP"].startswith("203.0.113.")


def test_a_name_is_taken_at_once(cloud, refused):
    cloud.insert()
    with refused("alreadyExists", 409):
        cloud.insert()
    cloud.insert(zone="us-central1-b")
    with refused("alreadyExists", 409, "disks/m"):
        cloud.insert("n", disks=[cloud.newborn(boot=True, diskName="m", sourceImage=cloud.image("arm64"))])


@pytest.mark.parametrize(
    ("changed", "code", "http"),
    [
        ({"machineType": "zones/us-central1-a/machineTypes/none"}, "invalid", 400),
        ({"machineType": "zones/us-central1-b/machineTypes/c4a-standard-4"}, "invalid", 400),
        ({"machineType": "c4a-standard-4"}, "invalid", 400),
        ({"networkInterfaces": []}, "invalid", 400),
        ({"networkInterfaces": [{"subnetwork": "regions/europe-west4/subnetworks/default"}]}, "invalid", 400),
        ({"networkInterfaces": [{"subnetwork": "regions/us-central1/subnetworks/none"}]}, "notFound", 404),
        ({"networkInterfaces": [{"network": "global/networks/none"}]}, "notFound", 404),
        ({"disks": []}, "invalid", 400),
        ({"labels": {"Upper": "v"}}, "invalid", 400),
        ({"labels": {"k": "Upper"}}, "invalid", 400),
        ({"labels": {f"k{n}": "v" for n in range(65)}}, "invalid", 400),
        ({"serviceAccounts": [{"email": "a@b"}, {"email": "c@d"}]}, "invalid", 400),
        ({"metadata": {"items": [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]}}, "invalid", 400),
    ],
)
def test_a_wrong_request_is_refused_at_once(cloud, refused, changed, code, http):
    with refused(code, http):
        cloud.insert(**changed)
    assert cloud.get("state")["zones"] == {}


def test_a_type_that_the_zone_does_not_have(cloud, refused):
    with refused("invalid", 400, "does not exist in zone"):
        cloud.insert(zone="us-west1-a")


@pytest.mark.parametrize(
    ("machine", "kind", "arch", "word"),
    [
        ("c4a-standard-4", "pd-ssd", "arm64", "features are not compatible"),
        ("t2a-standard-4", "hyperdisk-balanced", "arm64", "features are not compatible"),
        ("e2-standard-4", "hyperdisk-balanced", "x86-64", "features are not compatible"),
        ("n2-standard-4", "hyperdisk-balanced", "x86-64", "features are not compatible"),
        ("c4a-standard-4", "hyperdisk-balanced", "x86-64", "architecture"),
        ("e2-standard-4", "pd-ssd", "arm64", "architecture"),
    ],
)
def test_machine_disk_and_image_must_fit(cloud, refused, machine, kind, arch, word):
    with refused("badRequest", 400, word):
        cloud.insert(
            machineType=f"zones/us-central1-a/machineTypes/{machine}",
            disks=[cloud.newborn(boot=True, kind=kind, sourceImage=cloud.image(arch))],
        )


@pytest.mark.parametrize(
    "image",
    ["projects/debian-cloud/global/images/none", "projects/debian-cloud/global/images/family/none", "family/debian-12"],
)
def test_an_image_that_is_not_there(cloud, refused, image):
    with refused("invalid", 400, "referenced image resource cannot be found"):
        cloud.insert(disks=[cloud.newborn(boot=True, sourceImage=image)])


@pytest.mark.parametrize(
    "image", ["projects/debian-cloud/global/images/family/debian-12-arm64", "global/images/builder-arm64"]
)
def test_an_image_by_family_or_short_name(cloud, image):
    cloud.running(disks=[cloud.newborn(boot=True, sourceImage=image)])


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("hyperdisk-balanced", {"diskSizeGb": "5"}),  # smaller than the image
        ("hyperdisk-balanced", {"diskSizeGb": "65537"}),
        ("hyperdisk-balanced", {"provisionedIops": "2999"}),
        ("hyperdisk-balanced", {"provisionedIops": "160001", "diskSizeGb": "1000"}),
        ("hyperdisk-balanced", {"provisionedIops": "10001", "diskSizeGb": "20"}),
        ("hyperdisk-balanced", {"provisionedThroughput": "139"}),
        ("hyperdisk-balanced", {"provisionedThroughput": "751"}),
        ("pd-ssd", {"provisionedIops": "3000"}),
        ("pd-balanced", {"provisionedThroughput": "140"}),
        ("none", {}),
    ],
)
def test_the_limits_of_disk_types(cloud, refused, kind, params):
    machine = "c4a-standard-4" if kind in ("hyperdisk-balanced", "none") else "t2a-standard-4"
    with refused("invalid", 400):
        cloud.insert(
            machineType=f"zones/us-central1-a/machineTypes/{machine}",
            disks=[cloud.newborn(boot=True, kind=kind, sourceImage=cloud.image("arm64"), **params)],
        )


def test_speed_within_its_limits(cloud):
    cloud.running(
        disks=[
            cloud.newborn(
                boot=True,
                sourceImage=cloud.image("arm64"),
                diskSizeGb="20",
                provisionedIops="10000",
                provisionedThroughput="2400",
            )
        ]
    )
    assert (cloud.disk("m")["provisionedIops"], cloud.disk("m")["provisionedThroughput"]) == ("10000", "2400")


def test_one_boot_disk_and_every_name_once(cloud, refused):
    boot = cloud.newborn(boot=True, sourceImage=cloud.image("arm64"))
    for disks in (
        [cloud.newborn(diskName="a")],
        [boot, {**boot, "initializeParams": {**boot["initializeParams"], "diskName": "b"}}],
        [cloud.newborn(diskName="a"), boot],
        [cloud.newborn(boot=True)],
        [boot, cloud.newborn(diskName="a"), cloud.newborn(diskName="a")],
        [boot, {**cloud.newborn(diskName="a"), "deviceName": "persistent-disk-0"}],
        [{"boot": True}],
        [{**boot, "source": "zones/us-central1-a/disks/x"}],
    ):
        with refused("invalid", 400):
            cloud.insert(disks=disks)


def test_a_disk_type_of_another_zone(cloud, refused):
    with refused("invalid", 400, "must be in zone"):
        cloud.insert(disks=[cloud.newborn("us-central1-b", boot=True, sourceImage=cloud.image("arm64"))])


def test_an_unknown_zone(cloud, refused):
    with refused("invalid", 400, "Unknown zone"):
        cloud.insert(zone="us-central1-q")
