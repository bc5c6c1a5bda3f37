"""Room and quotas."""

import pytest


@pytest.mark.parametrize(
    "hole",
    [{}, {"region": "us-central1"}, {"zone": "us-central1-a"}, {"zone": "us-central1-a", "type": "c4a-standard-4"}],
)
def test_a_hole_takes_the_insertion(cloud, hole):
    cloud.post("capacity", [hole])
    operation = cloud.insert()
    assert operation["status"] == "PENDING"
    assert cloud.ended(operation) == "ZONE_RESOURCE_POOL_EXHAUSTED"
    done = cloud.operation(operation)
    assert (
        done["httpErrorStatusCode"] == 503
        and done["httpErrorMessage"]
        and "does not have enough resources" in done["error"]["errors"][0]["message"]
    )


@pytest.mark.parametrize("hole", [{"region": "us-east1"}, {"zone": "us-central1-b"}, {"type": "c4a-standard-8"}])
def test_another_hole_does_not(cloud, hole):
    cloud.post("capacity", [hole])
    cloud.running()


def test_a_start_finds_no_room(cloud):
    cloud.running()
    cloud.do("stop")
    cloud.settled()
    cloud.post("capacity", [{"type": "c4a-standard-4"}])
    assert cloud.ended(cloud.do("start")) == "ZONE_RESOURCE_POOL_EXHAUSTED"
    assert cloud.instance()["status"] == "TERMINATED" and cloud.disk("m")["users"]
    cloud.post("capacity", [])
    assert cloud.ended(cloud.do("start")) is None


def test_the_other_codes_of_no_room(cloud):
    cloud.post("capacity", [{}])
    cloud.post("settings", {"capacity_code": "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"})
    operation = cloud.insert()
    assert cloud.ended(operation) == "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"
    detail = cloud.operation(operation)["error"]["errors"][0]["errorDetails"][0]["errorInfo"]
    assert detail["metadatas"]["vmType"] == "c4a-standard-4"


@pytest.mark.parametrize(("setting", "most"), [("max_vcpus", 4), ("max_disks_gib", 15)])
def test_a_quota_of_the_region(cloud, refused, setting, most):
    cloud.post("settings", {setting: most})
    cloud.running("a")
    operation = cloud.insert("b", "us-central1-b")
    assert cloud.ended(operation) == "QUOTA_EXCEEDED"
    assert cloud.operation(operation)["httpErrorStatusCode"] == 403
    cloud.running("c", "europe-west4-a")
    for told in ({"quota_sync": True}, {"quota_sync": False, "quota": "sync"}):
        cloud.post("settings", told)
        with refused("quotaExceeded", 403):
            cloud.insert("b")
    assert [disk["name"] for disk in cloud.get("state")["regions"]["us-central1"]["disks"]] == ["a"]


def test_a_stopped_machine_needs_no_vcpus_until_it_starts(cloud):
    cloud.post("settings", {"max_vcpus": 4})
    cloud.running("a")
    cloud.do("stop", "a")
    cloud.settled()
    cloud.running("b")
    assert cloud.ended(cloud.do("start", "a")) == "QUOTA_EXCEEDED"
    assert cloud.instance("a")["status"] == "TERMINATED"


def test_a_disk_alone_counts(cloud):
    cloud.post("settings", {"max_disks_gib": 30})
    cloud.new_disk()
    body = {"name": "e", "sizeGb": "20", "type": "zones/us-central1-a/diskTypes/pd-ssd"}
    assert cloud.ended(cloud.compute("POST", "zones/us-central1-a/disks", body)) == "QUOTA_EXCEEDED"
