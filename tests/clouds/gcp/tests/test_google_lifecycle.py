"""What comes after the birth: power, deletion, labels, ties."""

ZONE = "us-central1-a"
COMPUTE = f"/compute/v1/projects/emulated-project/zones/{ZONE}"


def status(cloud, name="builder"):
    return cloud.ask("GET", f"{COMPUTE}/instances/{name}")["status"]


def test_stop_and_start_last_and_can_be_repeated(cloud, refused):
    cloud.running()
    cloud.ask("POST", f"{COMPUTE}/instances/builder/stop")
    assert status(cloud) == "STOPPING"
    assert refused(cloud.ask, "POST", f"{COMPUTE}/instances/builder/start").reason == "resourceNotReady"
    cloud.advance()
    assert status(cloud) == "TERMINATED"
    assert cloud.ask("POST", f"{COMPUTE}/instances/builder/stop")["status"] == "DONE"
    operation = cloud.ask("POST", f"{COMPUTE}/instances/builder/start")
    assert status(cloud) == "TERMINATED", "it has not begun yet"
    cloud.advance()
    assert (status(cloud), cloud.operation(operation)["status"]) == ("RUNNING", "DONE")
    assert cloud.ask("POST", f"{COMPUTE}/instances/builder/start")["status"] == "DONE"


def test_a_start_in_a_full_zone_fails_in_its_operation_and_leaves_the_machine_off(cloud):
    cloud.running()
    cloud.ask("POST", f"{COMPUTE}/instances/builder/stop")
    cloud.advance()
    cloud.control("POST", "capacity", [{}])
    operation = cloud.ask("POST", f"{COMPUTE}/instances/builder/start")
    cloud.advance()
    assert cloud.operation(operation)["error"]["errors"][0]["code"] == "ZONE_RESOURCE_POOL_EXHAUSTED"
    assert status(cloud) == "TERMINATED"


def test_deletion_takes_the_root_and_leaves_the_cache(cloud, refused):
    machine = cloud.running()
    cloud.ask("DELETE", f"{COMPUTE}/instances/{machine['id']}")
    assert status(cloud) == "STOPPING"
    cloud.advance()
    assert refused(cloud.ask, "GET", f"{COMPUTE}/instances/builder").status == 404
    assert refused(cloud.ask, "DELETE", f"{COMPUTE}/instances/builder").status == 404
    disks = cloud.list("disks")
    assert [disk["name"] for disk in disks] == ["builder-cache"]
    assert not disks[0].get("users")


def test_a_disk_that_is_held_can_not_be_deleted(cloud, refused):
    cloud.running()
    refusal = refused(cloud.ask, "DELETE", f"{COMPUTE}/disks/builder-cache")
    assert (refusal.status, refusal.reason) == (400, "resourceInUseByAnotherResource")
    cloud.ask("DELETE", f"{COMPUTE}/instances/builder")
    cloud.advance()
    cloud.ask("DELETE", f"{COMPUTE}/disks/builder-cache")
    assert cloud.ask("GET", f"{COMPUTE}/disks/builder-cache")["status"] == "DELETING"
    cloud.advance()
    assert cloud.list("disks") == []


def test_labels_are_set_against_their_fingerprint(cloud, refused):
    machine = cloud.running()
    stale = {"labels": {"team": "blue"}, "labelFingerprint": "AAAAAAAA"}
    refusal = refused(cloud.ask, "POST", f"{COMPUTE}/instances/builder/setLabels", stale)
    assert (refusal.status, refusal.reason) == (412, "conditionNotMet")
    fresh = {"labels": {"team": "blue"}, "labelFingerprint": machine["labelFingerprint"]}
    cloud.ask("POST", f"{COMPUTE}/instances/builder/setLabels", fresh)
    after = cloud.ask("GET", f"{COMPUTE}/instances/builder")
    assert after["labels"] == {"team": "blue"}
    assert after["labelFingerprint"] != machine["labelFingerprint"]


def test_a_disk_is_detached_and_attached_once(cloud, refused):
    cloud.running()
    cloud.running("second")
    tie = {"source": f"zones/{ZONE}/disks/builder-cache", "deviceName": "more"}
    assert refused(cloud.ask, "POST", f"{COMPUTE}/instances/second/attachDisk", tie).reason == "resourceInUseByAnotherResource"
    cloud.ask("POST", f"{COMPUTE}/instances/builder/detachDisk?deviceName=cache")
    assert refused(cloud.ask, "POST", f"{COMPUTE}/instances/builder/detachDisk?deviceName=cache").status == 400
    cloud.ask("POST", f"{COMPUTE}/instances/second/attachDisk", tie)
    assert len(cloud.ask("GET", f"{COMPUTE}/instances/second")["disks"]) == 3
