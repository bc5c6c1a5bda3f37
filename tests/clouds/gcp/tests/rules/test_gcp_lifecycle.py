"""Start, stop, delete, labels, attached disks."""

import pytest


def test_stop_and_start(cloud):
    cloud.running()
    stop = cloud.do("stop")
    assert cloud.instance()["status"] == "STOPPING"
    assert cloud.ended(stop) is None
    stopped = cloud.instance()
    assert stopped["status"] == "TERMINATED" and stopped["lastStopTimestamp"]
    start = cloud.do("start")
    assert start["operationType"] == "start" and start["targetId"] == stopped["id"]
    cloud.advance(30)
    assert cloud.instance()["status"] == "STAGING"
    assert cloud.ended(start) is None
    assert cloud.instance()["status"] == "RUNNING"
    assert cloud.instance()["lastStartTimestamp"] > stopped["lastStartTimestamp"]


def test_what_is_so_already_is_done_at_once(cloud):
    cloud.running()
    assert cloud.do("start")["status"] == "DONE"
    cloud.do("stop")
    cloud.settled()
    assert cloud.do("stop")["status"] == "DONE"


def test_what_is_in_passing_is_not_ready(cloud, refused):
    cloud.running()
    cloud.do("stop")
    with refused("resourceNotReady", 400):
        cloud.do("start")
    with refused("resourceNotReady", 400):
        cloud.do("stop")


def test_by_number_as_well_as_by_name(cloud):
    number = cloud.running()["id"]
    assert cloud.instance(number)["name"] == "m"
    cloud.do("stop", number)
    cloud.settled()
    assert cloud.instance()["status"] == "TERMINATED"
    assert cloud.disk(cloud.disk("m")["id"])["name"] == "m"


def test_nothing_there_is_404(cloud, refused):
    for verb in ("start", "stop"):
        with refused("notFound", 404):
            cloud.do(verb)
    for what in ("instances/m", "disks/d"):
        for method in ("GET", "DELETE"):
            with refused("notFound", 404):
                cloud.compute(method, f"zones/us-central1-a/{what}")


def test_deletion_takes_what_is_auto_deleted_and_keeps_the_rest(cloud, refused):
    boot = cloud.newborn(boot=True, autoDelete=True, sourceImage=cloud.image("arm64"))
    cloud.running(disks=[boot, cloud.newborn(diskName="cache")])
    operation = cloud.compute("DELETE", "zones/us-central1-a/instances/m")
    assert cloud.instance()["status"] == "STOPPING"
    assert cloud.ended(operation) is None
    for gone in ("instances/m", "disks/m"):
        with refused("notFound", 404):
            cloud.compute("GET", f"zones/us-central1-a/{gone}")
    kept = cloud.disk("cache")
    assert "users" not in kept and kept["status"] == "READY" and kept["lastDetachTimestamp"]


def test_deletion_before_it_runs_leaves_a_ready_disk(cloud):
    boot = cloud.newborn(boot=True, autoDelete=True, sourceImage=cloud.image("arm64"))
    cloud.insert(disks=[boot, cloud.newborn(diskName="cache")])
    cloud.compute("DELETE", "zones/us-central1-a/instances/m")
    cloud.settled()
    state = cloud.get("state")["zones"]["us-central1-a"]
    assert [disk["name"] for disk in state["disks"]] == ["cache"] and not state["instances"]
    assert cloud.disk("cache")["status"] == "READY"


def test_the_end_of_a_stop_does_not_hide_a_deletion(cloud):
    cloud.running()
    stop = cloud.do("stop")
    cloud.advance(30)
    cloud.compute("DELETE", "zones/us-central1-a/instances/m")
    cloud.advance(40)
    assert cloud.operation(stop)["status"] == "DONE" and cloud.instance()["status"] == "STOPPING"


def test_a_protected_instance_is_not_deleted(cloud, refused):
    cloud.running(deletionProtection=True)
    with refused("invalid", 400, "protected"):
        cloud.compute("DELETE", "zones/us-central1-a/instances/m")


def test_labels_need_the_fingerprint_that_is(cloud, refused):
    old = cloud.running()["labelFingerprint"]
    cloud.do("setLabels", body={"labels": {"a": "b"}, "labelFingerprint": old})
    assert cloud.instance()["labels"] == {"a": "b"} and cloud.instance()["labelFingerprint"] != old
    for stale in ({"labelFingerprint": old}, {}):
        with refused("conditionNotMet", 412):
            cloud.do("setLabels", body={"labels": {"a": "c"}, **stale})
    disk = cloud.disk("m")
    path = "zones/us-central1-a/disks/m/setLabels"
    cloud.compute("POST", path, {"labels": {"d": "e"}, "labelFingerprint": disk["labelFingerprint"]})
    assert cloud.disk("m")["labels"] == {"d": "e"}
    with refused("conditionNotMet", 412):
        cloud.compute("POST", path, {"labels": {}, "labelFingerprint": disk["labelFingerprint"]})


def test_attach_and_detach(cloud, refused):
    cloud.running()
    disk = cloud.new_disk("d")
    wanted = {"source": "zones/us-central1-a/disks/d", "deviceName": "cache"}
    cloud.do("attachDisk", body=wanted)
    shown = cloud.instance()["disks"][1]
    assert (shown["deviceName"], shown["index"], shown["source"], shown["boot"]) == (
        "cache",
        1,
        disk["selfLink"],
        False,
    )
    assert cloud.disk("d")["users"] == [cloud.instance()["selfLink"]]
    with refused("resourceInUseByAnotherResource", 400):
        cloud.do("attachDisk", body={**wanted, "deviceName": "other"})
    cloud.do("setDiskAutoDelete", deviceName="cache", autoDelete="true")
    assert cloud.instance()["disks"][1]["autoDelete"] is True
    cloud.do("detachDisk", deviceName="cache")
    assert len(cloud.instance()["disks"]) == 1 and "users" not in cloud.disk("d")
    for verb, query in (("detachDisk", {}), ("setDiskAutoDelete", {"autoDelete": "true"})):
        with refused("invalid", 400, "No attached disk"):
            cloud.do(verb, deviceName="cache", **query)


@pytest.mark.parametrize(
    ("kind", "wanted", "code"),
    [
        ("pd-ssd", {}, "badRequest"),
        ("hyperdisk-balanced", {"deviceName": "persistent-disk-0"}, "invalid"),
        ("hyperdisk-balanced", {"source": "zones/us-central1-a/disks/none"}, "invalid"),
        ("hyperdisk-balanced", {"source": "zones/us-central1-b/disks/d"}, "invalid"),
    ],
)
def test_what_cannot_be_attached(cloud, refused, kind, wanted, code):
    cloud.running()
    cloud.new_disk("d", kind=kind)
    with refused(code, 400):
        cloud.do("attachDisk", body={"source": "zones/us-central1-a/disks/d", **wanted})


def test_a_boot_disk_stays_while_it_runs(cloud, refused):
    cloud.running()
    with refused("badRequest", 400):
        cloud.do("detachDisk", deviceName="persistent-disk-0")


def test_waiting_for_an_operation_ends_with_it(cloud):
    cloud.post("settings", {"settle": 0.3})
    operation = cloud.insert()
    waited = cloud.compute("POST", f"zones/us-central1-a/operations/{operation['name']}/wait")
    assert waited["status"] == "DONE" and cloud.instance()["status"] == "RUNNING"
