"""instances.insert: every check, and what is born."""

import pytest

ZONE = "us-central1-a"
COMPUTE = f"/compute/v1/projects/emulated-project/zones/{ZONE}"


def test_an_operation_goes_pending_running_done_and_the_machine_with_it(cloud):
    operation = cloud.insert()
    assert (operation["status"], operation["operationType"]) == ("PENDING", "insert")
    assert cloud.ask("GET", f"{COMPUTE}/instances/builder")["status"] == "PROVISIONING"
    cloud.advance(20)
    assert cloud.operation(operation)["status"] == "RUNNING"
    cloud.advance(15)
    assert cloud.ask("GET", f"{COMPUTE}/instances/builder")["status"] == "STAGING"
    cloud.advance(30)
    assert cloud.operation(operation)["status"] == "DONE"
    machine = cloud.ask("GET", f"{COMPUTE}/instances/{operation['targetId']}")
    assert machine["status"] == "RUNNING"
    assert [disk["boot"] for disk in machine["disks"]] == [True, False]
    disks = {disk["name"]: disk for disk in cloud.list("disks")}
    assert disks["builder-cache"]["users"] == [machine["selfLink"]]
    assert disks["builder-cache"]["labels"] == {"kind": "cache"}
    assert disks["builder-root"]["architecture"] == "ARM64"


def machine_type(name):
    return lambda body: body.update(machineType=f"zones/{ZONE}/machineTypes/{name}")


def params(place, **changed):
    return lambda body: body["disks"][place]["initializeParams"].update(changed)


@pytest.mark.parametrize(
    "change",
    [
        machine_type("c4a-nonsense-4"),
        machine_type("e2-standard-4"),  # the image is for ARM64
        machine_type("t2a-standard-4"),  # takes no Hyperdisk
        params(1, diskType=f"zones/{ZONE}/diskTypes/pd-ssd"),  # Axion takes no Persistent Disk
        params(1, diskType="zones/us-central1-b/diskTypes/hyperdisk-balanced"),
        params(1, diskSizeGb="3"),
        params(1, provisionedIops="100"),
        params(1, provisionedIops="26000"),  # more than 500 for each of its 50 GB
        params(1, provisionedThroughput="100"),
        params(1, labels={"Kind": "cache"}),
        lambda body: body.update(labels={"team": "Red"}),
        lambda body: body.update(name="Builder"),
        lambda body: body.update(networkInterfaces=[]),
        lambda body: body.update(networkInterfaces=[{"subnetwork": "regions/us-east1/subnetworks/default"}]),
        lambda body: body["disks"].pop(0),
        lambda body: body["disks"][0]["initializeParams"].pop("sourceImage"),
        lambda body: body["disks"][1].update(source=f"zones/{ZONE}/disks/builder-root"),
    ],
)
def test_what_can_not_be_is_refused_and_nothing_is_born(cloud, refused, change):
    body = cloud.body()
    change(body)
    assert refused(cloud.insert, body).status == 400
    assert (cloud.list("instances"), cloud.list("disks")) == ([], [])


def test_what_is_not_there_is_not_found(cloud, refused):
    body = cloud.body()
    body["disks"][0]["initializeParams"]["sourceImage"] = "projects/debian-cloud/global/images/family/debian-1"
    assert refused(cloud.insert, body).status in (400, 404)
    body = cloud.body(networkInterfaces=[{"subnetwork": "regions/us-central1/subnetworks/other"}])
    assert refused(cloud.insert, body).status in (400, 404)
    body = cloud.body()
    body["disks"][1] = {"source": f"zones/{ZONE}/disks/none"}
    assert refused(cloud.insert, body).status in (400, 404)
    assert cloud.list("instances") == []


def test_names_are_unique_in_a_zone(cloud, refused):
    cloud.insert()
    assert (refused(cloud.insert).status, refused(cloud.insert).reason) == (409, "alreadyExists")
    body = cloud.body("other")
    body["disks"][1]["initializeParams"]["diskName"] = "builder-cache"
    assert refused(cloud.insert, body).reason == "alreadyExists"


def test_a_disk_has_one_machine_that_writes(cloud, refused):
    cloud.running()
    body = cloud.body("second")
    body["disks"][1] = {"source": f"zones/{ZONE}/disks/builder-cache"}
    assert refused(cloud.insert, body).reason == "resourceInUseByAnotherResource"


@pytest.mark.parametrize("code", ["ZONE_RESOURCE_POOL_EXHAUSTED", "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"])
def test_a_full_zone_is_told_by_the_operation_and_leaves_nothing(cloud, code):
    cloud.settings(capacity_code=code)
    cloud.control("POST", "capacity", [{"zone": ZONE, "type": "c4a-standard-4"}])
    operation = cloud.insert()
    assert len(cloud.list("instances")) == 1
    cloud.advance()
    done = cloud.operation(operation)
    assert (done["status"], done["error"]["errors"][0]["code"]) == ("DONE", code)
    assert (cloud.list("instances"), cloud.list("disks")) == ([], [])


def test_quotas_are_of_the_region(cloud, refused):
    cloud.settings(max_vcpus=4)
    cloud.running()
    operation = cloud.insert(cloud.body("second"))
    cloud.advance()
    assert cloud.operation(operation)["error"]["errors"][0]["code"] == "QUOTA_EXCEEDED"
    cloud.settings(quota_sync=True)
    refusal = refused(cloud.insert, cloud.body("third"))
    assert (refusal.status, refusal.reason) == (403, "quotaExceeded")


def test_a_request_id_counts_once(cloud, refused, new_id):
    wanted = new_id()
    first = cloud.insert(request_id=wanted)
    assert first["clientOperationId"] == wanted
    assert cloud.insert(request_id=wanted)["id"] == first["id"]
    assert refused(cloud.insert, cloud.body("other"), wanted).status == 409
    cloud.advance()
    cloud.ask("DELETE", f"{COMPUTE}/instances/builder")
    cloud.advance()
    assert cloud.insert(request_id=wanted)["id"] == first["id"], "also when what it made is gone"
    assert cloud.list("instances") == []
    cloud.advance(3600)
    assert refused(cloud.insert, None, wanted).reason == "alreadyExists", "but not for ever: the cache is still there"


@pytest.mark.parametrize("wrong", ["7", "00000000-0000-0000-0000-000000000000"])
def test_a_request_id_is_a_uuid(cloud, refused, wrong):
    assert refused(cloud.insert, None, wrong).status == 400
