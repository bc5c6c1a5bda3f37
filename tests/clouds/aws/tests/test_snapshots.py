"""Snapshots: their states, whom they are shown to, their tags, and the end of them."""

import pytest

TAGS = [{"ResourceType": "snapshot", "Tags": [{"Key": "team", "Value": "a"}]}]


def snapshot(cloud, volume_id=None, **changed) -> str:
    return cloud.ec2.create_snapshot(VolumeId=volume_id or cloud.available(), **changed)["SnapshotId"]


def now(cloud, snapshot_id) -> dict:
    return cloud.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]


def found(cloud, **request) -> list:
    return [each["SnapshotId"] for each in cloud.ec2.describe_snapshots(**request)["Snapshots"]]


def test_a_snapshot_is_pending_and_then_completed(cloud):
    volume_id = cloud.available()
    made = cloud.ec2.create_snapshot(VolumeId=volume_id, Description="before", TagSpecifications=TAGS)
    assert (made["State"], made["VolumeId"], made["VolumeSize"], made["Encrypted"]) == ("pending", volume_id, 10, False)
    assert (made["Description"], made["Tags"]) == ("before", [{"Key": "team", "Value": "a"}])
    cloud.settled()
    shown = now(cloud, made["SnapshotId"])
    assert (shown["State"], shown["Progress"], shown["StorageTier"]) == ("completed", "100%", "standard")
    assert shown["OwnerId"] == "123456789012" and shown["StartTime"] == made["StartTime"]
    assert "KmsKeyId" not in shown


def test_a_snapshot_of_what_is_encrypted_is_encrypted_with_the_same_key(cloud):
    key = cloud.key()
    shown = now(cloud, snapshot(cloud, cloud.available(Encrypted=True, KmsKeyId=key)))
    assert (shown["Encrypted"], shown["KmsKeyId"]) == (True, key)


def test_a_volume_in_use_can_be_snapshotted_and_one_in_passing_cannot(cloud, refused):
    cloud.running()
    root = cloud.ec2.describe_volumes()["Volumes"][0]["VolumeId"]
    snapshot(cloud, root)
    with refused("IncorrectState"):
        snapshot(cloud, cloud.volume())
    with refused("InvalidVolume.NotFound"):
        snapshot(cloud, "vol-00000000000000000")


def test_a_snapshot_outlives_its_volume_and_keeps_its_size(cloud):
    volume_id = cloud.available()
    snapshot_id = snapshot(cloud, volume_id)
    cloud.ec2.modify_volume(VolumeId=volume_id, Size=20)
    cloud.settled()
    cloud.ec2.delete_volume(VolumeId=volume_id)
    cloud.settled()
    shown = now(cloud, snapshot_id)
    assert (shown["VolumeId"], shown["VolumeSize"]) == (volume_id, 10)


def test_filters(cloud):
    volume_id = cloud.available(Encrypted=True)
    one = snapshot(cloud, volume_id, TagSpecifications=TAGS, Description="first")
    cloud.settled()
    two = snapshot(cloud)

    def by(name, value):
        return found(cloud, Filters=[{"Name": name, "Values": [value]}])

    assert by("tag:team", "a") == by("tag-key", "team") == by("volume-id", volume_id) == [one]
    assert by("status", "completed") == by("encrypted", "true") == by("description", "fir*") == [one]
    assert by("status", "pending") == by("encrypted", "false") == by("snapshot-id", two) == [two]
    assert by("volume-size", "10") == by("owner-id", "123456789012") == by("storage-tier", "standard") == [one, two]
    assert by("tag:team", "b") == by("owner-alias", "amazon") == []


def test_an_unknown_filter_is_refused(cloud, refused):
    with refused("InvalidParameterValue"):
        found(cloud, Filters=[{"Name": "colour", "Values": ["green"]}])


@pytest.mark.parametrize(
    ("who", "there"),
    [(["self"], 1), (["123456789012"], 1), (["amazon"], 0), (["amazon", "self"], 1), (["210987654321"], 0), ([], 1)],
)
def test_owners(cloud, who, there):
    snapshot(cloud)
    assert len(found(cloud, OwnerIds=who)) == there


def test_pages(cloud, refused):
    made = [snapshot(cloud) for _ in range(6)]
    first = cloud.ec2.describe_snapshots(MaxResults=5)
    assert [each["SnapshotId"] for each in first["Snapshots"]] == made[:5]
    assert found(cloud, NextToken=first["NextToken"]) == made[5:]
    cloud.post("settings", {"page_size": 4})
    sizes = [len(page["Snapshots"]) for page in cloud.ec2.get_paginator("describe_snapshots").paginate()]
    assert sizes == [4, 2]
    with refused("InvalidParameterValue"):
        found(cloud, MaxResults=4)
    with refused("InvalidParameterCombination"):
        found(cloud, MaxResults=5, SnapshotIds=made[:1])


def test_tags_come_and_go(cloud):
    snapshot_id = snapshot(cloud)
    cloud.ec2.create_tags(Resources=[snapshot_id], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    cloud.ec2.delete_tags(Resources=[snapshot_id], Tags=[{"Key": "b"}])
    assert now(cloud, snapshot_id)["Tags"] == [{"Key": "a", "Value": "1"}]
    rows = cloud.ec2.describe_tags(Filters=[{"Name": "resource-type", "Values": ["snapshot"]}])["Tags"]
    assert [(row["ResourceId"], row["Key"], row["Value"]) for row in rows] == [(snapshot_id, "a", "1")]


def test_a_snapshot_is_tagged_as_a_snapshot_only(cloud, refused):
    volume_id = cloud.available()
    for kind, key in (("volume", "a"), ("snapshot", "aws:a")):
        with refused("InvalidParameterValue"):
            wrong = {"ResourceType": kind, "Tags": [{"Key": key, "Value": "b"}]}
            snapshot(cloud, volume_id, TagSpecifications=[wrong])
    assert found(cloud) == []


def test_what_is_deleted_is_not_there(cloud, refused):
    snapshot_id = snapshot(cloud)
    cloud.settled()
    cloud.ec2.delete_snapshot(SnapshotId=snapshot_id)
    assert found(cloud) == []
    for ask in (cloud.ec2.delete_snapshot, lambda SnapshotId: now(cloud, SnapshotId)):
        with refused("InvalidSnapshot.NotFound"):
            ask(SnapshotId=snapshot_id)
    with refused("InvalidSnapshot.NotFound"):
        cloud.ec2.create_tags(Resources=[snapshot_id], Tags=[{"Key": "a", "Value": "1"}])


def test_the_snapshot_of_an_image_is_in_use(cloud, refused):
    cloud.running()
    image = cloud.ec2.describe_volumes()["Volumes"][0]["SnapshotId"]
    with refused("InvalidSnapshot.InUse"):
        cloud.ec2.delete_snapshot(SnapshotId=image)


def test_unknown_and_malformed_ids(cloud, refused):
    with refused("InvalidSnapshot.NotFound"):
        cloud.ec2.delete_snapshot(SnapshotId="snap-00000000000000000")
    with refused("InvalidSnapshotID.Malformed"):
        cloud.ec2.delete_snapshot(SnapshotId="my-snapshot")
    with refused("MissingParameter"):
        cloud.ec2.delete_snapshot()
    with refused("InvalidSnapshot.NotFound"):
        cloud.client("ec2", "eu-central-1").describe_snapshots(SnapshotIds=[snapshot(cloud)])


def test_what_is_new_is_not_visible_yet(cloud, refused):
    volume_id = cloud.available()
    cloud.post("settings", {"visibility_lag": 5})
    cloud.advance(6)
    snapshot_id = snapshot(cloud, volume_id)
    assert found(cloud) == []
    with refused("InvalidSnapshot.NotFound"):
        now(cloud, snapshot_id)
    cloud.advance(6)
    assert found(cloud) == [snapshot_id]


def test_the_dump_shows_them(cloud):
    snapshot_id = snapshot(cloud, TagSpecifications=TAGS)
    shown = cloud.get("state")["regions"]["us-east-1"]["snapshots"]
    assert [(each["id"], each["status"], each["tags"]) for each in shown] == [(snapshot_id, "pending", {"team": "a"})]


def test_what_is_not_emulated_is_refused(cloud, refused):
    with refused("UnsupportedOperation"):
        cloud.ec2.copy_snapshot(SourceSnapshotId=snapshot(cloud), SourceRegion="us-east-1")
    with refused("UnknownParameter"):
        snapshot(cloud, Location="local")
