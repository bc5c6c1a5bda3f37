"""Snapshots: of a disk, with its key, in their place; their labels, and the end of them."""

import pytest

SNAPSHOTS = "global/snapshots"
DISK = "projects/emulated-project/zones/us-central1-a/disks/d"


def snapshot(cloud, name: str = "s") -> dict:
    return cloud.compute("GET", f"{SNAPSHOTS}/{name}")


def take(cloud, name: str = "s", disk: str = DISK, **changed) -> dict:
    return cloud.compute("POST", SNAPSHOTS, {"name": name, "sourceDisk": disk, **changed})


def names(cloud, **query) -> list:
    return [item["name"] for item in cloud.compute("GET", SNAPSHOTS, **query).get("items", [])]


def told(cloud, operation: dict) -> dict:
    """An operation of the project, as it is now."""
    return cloud.compute("GET", f"global/operations/{operation['name']}")


def test_a_snapshot_is_created_uploaded_and_ready(cloud):
    disk = cloud.new_disk(labels={"of": "disk"})
    operation = take(cloud, labels={"team": "red"}, description="before")
    assert operation["operationType"] == "insert" and "zone" not in operation
    assert operation["selfLink"].endswith(f"/global/operations/{operation['name']}")
    assert snapshot(cloud)["status"] == "CREATING" and "storageBytesStatus" not in snapshot(cloud)
    cloud.advance(31)
    assert snapshot(cloud)["status"] == "UPLOADING"
    cloud.settled()
    shown = snapshot(cloud)
    assert (shown["status"], shown["storageBytesStatus"], shown["diskSizeGb"]) == ("READY", "UP_TO_DATE", "20")
    assert (shown["sourceDisk"], shown["sourceDiskId"]) == (disk["selfLink"], disk["id"])
    assert (shown["labels"], shown["description"], shown["snapshotType"]) == ({"team": "red"}, "before", "STANDARD")
    assert shown["labelFingerprint"] and "snapshotEncryptionKey" not in shown
    done = told(cloud, operation)
    assert (done["status"], done["targetLink"], done["targetId"]) == ("DONE", shown["selfLink"], shown["id"])
    assert cloud.compute("POST", f"global/operations/{operation['name']}/wait")["status"] == "DONE"
    listed = cloud.compute("GET", "global/operations")
    assert [item["name"] for item in listed["items"]] == [operation["name"]]


def test_a_disk_makes_one_by_an_operation_of_its_zone(cloud, refused):
    disk = cloud.new_disk()
    operation = cloud.compute("POST", "zones/us-central1-a/disks/d/createSnapshot", {"name": "s"}, guestFlush="false")
    assert (operation["operationType"], operation["targetLink"]) == ("createSnapshot", disk["selfLink"])
    assert cloud.ended(operation) is None
    assert snapshot(cloud)["sourceDisk"] == disk["selfLink"]
    with refused("invalid", 400, "sourceDisk"):
        body = {"name": "t", "sourceDisk": "zones/us-central1-a/disks/other"}
        cloud.compute("POST", "zones/us-central1-a/disks/d/createSnapshot", body)


def test_a_snapshot_of_the_disk_of_a_running_machine_outlives_both(cloud):
    cloud.running()
    take(cloud, disk="zones/us-central1-a/disks/m")
    cloud.settled()
    cloud.compute("DELETE", "zones/us-central1-a/instances/m")
    cloud.settled()
    shown = snapshot(cloud)
    assert (shown["status"], shown["architecture"]) == ("READY", "ARM64")
    assert shown["sourceDisk"].endswith("/disks/m")


def test_a_snapshot_keeps_the_size_that_its_disk_had(cloud):
    cloud.new_disk()
    take(cloud)
    cloud.compute("POST", "zones/us-central1-a/disks/d/resize", {"sizeGb": "40"})
    cloud.settled()
    assert (snapshot(cloud)["diskSizeGb"], cloud.disk("d")["sizeGb"]) == ("20", "40")


def test_it_has_the_key_of_its_disk(cloud):
    key = cloud.key()
    cloud.new_disk(diskEncryptionKey={"kmsKeyName": key})
    cloud.kms("POST", f"{key}/cryptoKeyVersions", {})
    cloud.kms("POST", f"{key}:updatePrimaryVersion", {"cryptoKeyVersionId": "2"})
    take(cloud, sourceDiskEncryptionKey={"kmsKeyName": key})
    shown, first = snapshot(cloud), {"kmsKeyName": f"{key}/cryptoKeyVersions/1"}
    assert shown["snapshotEncryptionKey"] == shown["sourceDiskEncryptionKey"] == first


def test_it_can_have_a_key_of_its_own(cloud):
    of_disk, own = cloud.key(), cloud.key(name="own")
    cloud.new_disk(diskEncryptionKey={"kmsKeyName": of_disk})
    take(cloud, snapshotEncryptionKey={"kmsKeyName": own})
    shown = snapshot(cloud)
    assert shown["snapshotEncryptionKey"] == {"kmsKeyName": f"{own}/cryptoKeyVersions/1"}
    assert shown["sourceDiskEncryptionKey"] == {"kmsKeyName": f"{of_disk}/cryptoKeyVersions/1"}
    cloud.new_disk("plain")
    take(cloud, "t", "zones/us-central1-a/disks/plain", snapshotEncryptionKey={"kmsKeyName": own})
    assert "sourceDiskEncryptionKey" not in snapshot(cloud, "t")


def test_a_key_that_cannot_be_used_is_refused_now_or_later(cloud, refused):
    key = cloud.key()
    cloud.new_disk(diskEncryptionKey={"kmsKeyName": key})
    cloud.kms("PATCH", f"{key}/cryptoKeyVersions/1", {"state": "DISABLED"}, updateMask="state")
    with refused("badRequest", 400, "is not enabled"):
        take(cloud)
    cloud.post("settings", {"key_check": "async"})
    operation = take(cloud)
    assert names(cloud) == ["s"]
    cloud.settled()
    assert told(cloud, operation)["error"]["errors"][0]["code"] == "RESOURCE_OPERATION_ERROR"
    assert names(cloud) == []


@pytest.mark.parametrize(
    ("zone", "wanted", "stored"),
    [
        ("us-central1-a", None, ["us"]),
        ("europe-west4-a", None, ["eu"]),
        ("us-central1-a", ["us-central1"], ["us-central1"]),
        ("us-central1-a", ["asia"], ["asia"]),
    ],
)
def test_where_it_is_stored(cloud, zone, wanted, stored):
    cloud.new_disk(zone=zone)
    take(cloud, disk=f"zones/{zone}/disks/d", **({"storageLocations": wanted} if wanted else {}))
    assert snapshot(cloud)["storageLocations"] == stored


@pytest.mark.parametrize(
    ("code", "http", "changed"),
    [
        ("invalid", 400, {"storageLocations": ["mars"]}),
        ("invalid", 400, {"storageLocations": ["us", "eu"]}),
        ("invalid", 400, {"sourceDisk": "d"}),
        ("invalid", 400, {"name": "Upper"}),
        ("invalid", 400, {"labels": {"A": ""}}),
        ("invalid", 400, {"colour": "red"}),
        ("invalid", 400, {"snapshotType": "POLAROID"}),
        ("invalid", 400, {"sourceDiskEncryptionKey": {"kmsKeyName": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}}),
        ("required", 400, {"name": None}),
        ("notFound", 404, {"sourceDisk": "zones/us-central1-a/disks/none"}),
        ("notFound", 404, {"sourceDisk": "zones/mars-1/disks/d"}),
        ("forbidden", 403, {"sourceDisk": "projects/other/zones/us-central1-a/disks/d"}),
        ("notImplemented", 501, {"snapshotEncryptionKey": {"rawKey": "eA=="}}),
        ("notImplemented", 501, {"sourceInstantSnapshot": "zones/us-central1-a/instantSnapshots/i"}),
    ],
)
def test_what_is_refused(cloud, refused, code, http, changed):
    cloud.new_disk()
    with refused(code, http):
        take(cloud, **changed)
    assert names(cloud) == []


def test_a_name_is_taken_once_and_a_disk_must_be_ready(cloud, refused):
    cloud.new_disk()
    take(cloud)
    with refused("alreadyExists", 409):
        take(cloud)
    cloud.compute("DELETE", "zones/us-central1-a/disks/d")
    with refused("resourceNotReady", 400):
        take(cloud, "t")


def test_labels_need_their_fingerprint(cloud, refused):
    cloud.new_disk()
    take(cloud, labels={"a": "b"})
    shown = snapshot(cloud)
    path = f"{SNAPSHOTS}/s/setLabels"
    operation = cloud.compute("POST", path, {"labels": {"c": "d"}, "labelFingerprint": shown["labelFingerprint"]})
    assert operation["operationType"] == "setLabels" and "zone" not in operation
    assert snapshot(cloud)["labels"] == {"c": "d"}
    assert snapshot(cloud)["labelFingerprint"] != shown["labelFingerprint"]
    with refused("conditionNotMet", 412):
        cloud.compute("POST", path, {"labels": {}, "labelFingerprint": shown["labelFingerprint"]})


def test_deletion_lasts(cloud, refused):
    cloud.new_disk()
    take(cloud)
    cloud.settled()
    operation = cloud.compute("DELETE", f"{SNAPSHOTS}/s")
    assert snapshot(cloud)["status"] == "DELETING"
    cloud.settled()
    assert told(cloud, operation)["status"] == "DONE"
    for verb in ("GET", "DELETE"):
        with refused("notFound", 404, "projects/emulated-project/global/snapshots/s"):
            cloud.compute(verb, f"{SNAPSHOTS}/s")
    take(cloud)


def test_a_request_id_that_is_repeated_gives_its_operation(cloud, token, refused):
    cloud.new_disk()
    body = {"name": "s", "sourceDisk": DISK}
    first = cloud.compute("POST", SNAPSHOTS, body, requestId=token)
    assert cloud.compute("POST", SNAPSHOTS, body, requestId=token)["name"] == first["name"]
    with refused("requestIdMismatch", 409):
        cloud.compute("POST", SNAPSHOTS, {**body, "name": "t"}, requestId=token)
    assert names(cloud) == ["s"]


def test_lists_are_filtered_and_paged(cloud, refused):
    cloud.new_disk()
    for name in ("a", "b", "c"):
        take(cloud, name, labels={"n": name, "all": ""})
    assert names(cloud, filter='labels.n = "b"') == ["b"]
    assert names(cloud, filter="labels.all:*") == ["a", "b", "c"] == names(cloud, filter="diskSizeGb>10")
    assert names(cloud, filter="status=READY") == []
    first = cloud.compute("GET", SNAPSHOTS, maxResults=2)
    assert [item["name"] for item in first["items"]] == ["a", "b"]
    assert names(cloud, maxResults=2, pageToken=first["nextPageToken"]) == ["c"]
    cloud.post("settings", {"page_size": 1})
    assert names(cloud) == ["a"]
    with refused("invalid", 400):
        names(cloud, filter="colour=red")


def test_what_is_new_is_hidden_for_a_while(cloud, refused):
    cloud.new_disk()
    cloud.post("settings", {"visibility_lag": 5})
    take(cloud)
    assert names(cloud) == []
    with refused("notFound", 404):
        snapshot(cloud)
    cloud.advance(6)
    assert names(cloud) == ["s"]


def test_the_state_shows_them(cloud):
    cloud.new_disk()
    take(cloud)
    assert [item["name"] for item in cloud.get("state")["snapshots"]] == ["s"]
    assert cloud.get("calls")["counts"]["compute.snapshots.insert"] == 1
