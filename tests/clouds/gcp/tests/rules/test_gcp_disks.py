"""Disks: alone, born with an instance, taken over by another."""

BOOT = {"boot": True, "autoDelete": True}


def boot(cloud):
    return {**cloud.newborn(sourceImage=cloud.image("arm64")), **BOOT}


def source(name: str = "d", zone: str = "us-central1-a", **more) -> dict:
    return {"source": f"zones/{zone}/disks/{name}", **more}


def test_a_disk_alone(cloud, refused):
    body = {"name": "d", "sizeGb": "20", "type": "zones/us-central1-a/diskTypes/pd-ssd", "labels": {"a": "b"}}
    operation = cloud.compute("POST", "zones/us-central1-a/disks", body)
    assert cloud.disk("d")["status"] == "CREATING"
    assert cloud.ended(operation) is None
    disk = cloud.disk("d")
    assert (disk["status"], disk["sizeGb"], disk["labels"]) == ("READY", "20", {"a": "b"})
    assert disk["type"].endswith("/zones/us-central1-a/diskTypes/pd-ssd") and "provisionedIops" not in disk
    with refused("alreadyExists", 409):
        cloud.compute("POST", "zones/us-central1-a/disks", body)


def test_a_disk_alone_has_the_same_limits(cloud, refused):
    for changed in (
        {"sizeGb": "3"},
        {"provisionedIops": "1"},
        {"type": "zones/us-central1-a/diskTypes/none"},
        {"labels": {"A": ""}},
    ):
        with refused("invalid", 400):
            body = {"name": "d", "type": "zones/us-central1-a/diskTypes/hyperdisk-balanced", **changed}
            cloud.compute("POST", "zones/us-central1-a/disks", body)


def test_an_existing_disk_goes_to_a_new_machine(cloud):
    disk = cloud.new_disk()
    shown = cloud.running(disks=[boot(cloud), source(deviceName="cache")])
    assert shown["disks"][1]["source"] == disk["selfLink"]
    assert cloud.disk("d")["users"] == [shown["selfLink"]] and cloud.disk("d")["lastAttachTimestamp"]


def test_a_disk_in_use_is_refused_to_another(cloud, refused):
    cloud.new_disk()
    cloud.running(disks=[boot(cloud), source()])
    with refused("resourceInUseByAnotherResource", 400, "instances/m"):
        cloud.insert("n", disks=[boot(cloud), source()])
    with refused("resourceInUseByAnotherResource", 400):
        cloud.insert("n", disks=[boot(cloud), source(mode="READ_ONLY")])
    with refused("resourceInUseByAnotherResource", 400):
        cloud.compute("DELETE", "zones/us-central1-a/disks/d")
    assert set(disk["name"] for disk in cloud.get("state")["zones"]["us-central1-a"]["disks"]) == {"d", "m"}


def test_readers_share_a_disk(cloud, refused):
    cloud.new_disk()
    for name in ("m", "n"):
        cloud.running(name, disks=[boot(cloud), source(mode="READ_ONLY")])
    assert len(cloud.disk("d")["users"]) == 2
    with refused("resourceInUseByAnotherResource", 400):
        cloud.insert("o", disks=[boot(cloud), source()])
    cloud.do("detachDisk", "m", deviceName="persistent-disk-1")
    assert cloud.disk("d")["users"] == [cloud.instance("n")["selfLink"]]


def test_a_disk_that_is_elsewhere_or_nowhere_or_of_a_kind_that_does_not_fit(cloud, refused):
    cloud.new_disk("d", "us-central1-b")
    cloud.new_disk("p", kind="pd-ssd")
    with refused("invalid", 400, "must be in zone"):
        cloud.insert(disks=[boot(cloud), source("d", "us-central1-b")])
    with refused("invalid", 400, "disk resource cannot be found"):
        cloud.insert(disks=[boot(cloud), source("none")])
    with refused("badRequest", 400, "features are not compatible"):
        cloud.insert(disks=[boot(cloud), source("p")])


def test_a_disk_that_is_not_ready(cloud, refused):
    cloud.compute(
        "POST", "zones/us-central1-a/disks", {"name": "d", "type": "zones/us-central1-a/diskTypes/hyperdisk-balanced"}
    )
    with refused("resourceNotReady", 400):
        cloud.insert(disks=[boot(cloud), source()])


def test_deletion_lasts(cloud, refused):
    cloud.new_disk()
    operation = cloud.compute("DELETE", "zones/us-central1-a/disks/d")
    assert cloud.disk("d")["status"] == "DELETING"
    assert cloud.ended(operation) is None
    with refused("notFound", 404):
        cloud.disk("d")


def test_a_failed_insertion_leaves_nothing_and_lets_go(cloud):
    cloud.new_disk()
    cloud.post("capacity", [{"zone": "us-central1-a"}])
    operation = cloud.insert(disks=[boot(cloud), source(), cloud.newborn(diskName="cache")])
    assert cloud.instance()["status"] == "PROVISIONING" and cloud.disk("cache")["status"] == "CREATING"
    assert cloud.disk("d")["users"]
    assert cloud.ended(operation) == "ZONE_RESOURCE_POOL_EXHAUSTED"
    state = cloud.get("state")["zones"]["us-central1-a"]
    assert [disk["name"] for disk in state["disks"]] == ["d"] and state["instances"] == []
    assert "users" not in cloud.disk("d")


def test_a_failed_insertion_that_was_deleted_meanwhile_leaves_nothing_either(cloud):
    cloud.post("capacity", [{}])
    cloud.insert(disks=[boot(cloud), cloud.newborn(diskName="cache")])
    cloud.compute("DELETE", "zones/us-central1-a/instances/m")
    cloud.settled()
    assert cloud.get("state")["zones"] == {}
