"""Listings that lie: cut short, empty, old, or refused; and that what is asked for by its id is told truly."""

import urllib.error

import pytest

# Each listing: its service and action, its client call, and what is in its answer.
KINDS = {
    "instances": ("DescribeInstances", "describe_instances", "InstanceId", "instance-id"),
    "volumes": ("DescribeVolumes", "describe_volumes", "VolumeId", "volume-id"),
    "snapshots": ("DescribeSnapshots", "describe_snapshots", "SnapshotId", "snapshot-id"),
    "keys": ("ListKeys", "list_keys", "KeyId", None),
}
TEAM = [{"Key": "team", "Value": "a"}]


def make(cloud, kind: str, region: str = "us-east-1") -> str:
    def tags(of):
        return [{"ResourceType": of, "Tags": TEAM}]

    if kind == "instances":
        return cloud.launch(region, TagSpecifications=tags("instance"))["InstanceId"]
    if kind == "volumes":
        return cloud.available(region + "a", TagSpecifications=tags("volume"))
    if kind == "keys":
        return cloud.key(region).rpartition("/")[2]
    request = {"VolumeId": cloud.available(region + "a"), "TagSpecifications": tags("snapshot")}
    return cloud.client("ec2", region).create_snapshot(**request)["SnapshotId"]


def rows(kind: str, answer: dict) -> list:
    if kind == "instances":
        found = [each for reservation in answer["Reservations"] for each in reservation["Instances"]]
    else:
        found = answer[kind.capitalize()]
    return [row[KINDS[kind][2]] for row in found]


def ask(cloud, kind: str, region: str = "us-east-1", **request) -> dict:
    client = cloud.client("kms" if kind == "keys" else "ec2", region)
    return getattr(client, KINDS[kind][1])(**request)


def listed(cloud, kind: str, region: str = "us-east-1", **request) -> list:
    """All pages, as a careful client reads them."""
    found, answer = [], ask(cloud, kind, region, **request)
    while True:
        found += rows(kind, answer)
        token = answer.get("NextToken") or answer.get("NextMarker")
        if not token:
            assert not answer.get("Truncated")
            return found
        answer = ask(cloud, kind, region, **request, **{"Marker" if kind == "keys" else "NextToken": token})


def rule(cloud, kind: str, do: str, **more) -> None:
    cloud.post("rules", [{"action": KINDS[kind][0], "do": do, **more}])


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


def test_a_listing_is_cut_after_its_first_page(cloud, kind):
    made = [make(cloud, kind) for _ in range(3)]
    cloud.post("settings", {"page_size": 2})
    assert listed(cloud, kind) == made
    rule(cloud, kind, "cut")
    assert listed(cloud, kind) == made[:2]
    call = cloud.get("calls")["calls"][-1]
    assert (call["status"], call["fault"]) == (200, "cut")
    cloud.post("rules", [])
    assert listed(cloud, kind) == made


def test_a_listing_is_empty(cloud, kind):
    made = make(cloud, kind)
    rule(cloud, kind, "empty")
    assert listed(cloud, kind) == []
    cloud.post("rules", [])
    assert listed(cloud, kind) == [made]


def test_a_listing_is_old(cloud, kind):
    first = make(cloud, kind)
    cloud.advance(100)
    make(cloud, kind)
    rule(cloud, kind, "stale", secs=50)
    assert listed(cloud, kind) == [first]
    rule(cloud, kind, "stale", secs=1000)
    assert listed(cloud, kind) == []
    cloud.post("rules", [])
    assert len(listed(cloud, kind)) == 2


def test_the_setting_makes_all_listings_old(cloud, kind):
    make(cloud, kind)
    cloud.post("settings", {"stale": 50})
    assert listed(cloud, kind) == []
    cloud.advance(51)
    assert len(listed(cloud, kind)) == 1


def test_the_listings_of_a_region_answer_500(cloud, kind, refused):
    here, there = make(cloud, kind), make(cloud, kind, "eu-central-1")
    cloud.post("rules", [{"listing": True, "region": "us-east-1", "do": "internal"}])
    with refused("KMSInternalException" if kind == "keys" else "InternalError", 500):
        listed(cloud, kind)
    assert listed(cloud, kind, "eu-central-1") == [there]
    if kind != "keys":
        assert rows(kind, ask(cloud, kind, **{KINDS[kind][2] + "s": [here]})) == [here]
    cloud.post("rules", [])
    assert listed(cloud, kind) == [here]


def test_a_lie_is_of_a_region_and_for_so_many_calls(cloud, kind):
    here, there = make(cloud, kind), make(cloud, kind, "eu-central-1")
    rule(cloud, kind, "empty", region="us-east-1", nth=2, times=1)
    assert listed(cloud, kind, "eu-central-1") == [there]
    assert [listed(cloud, kind) for _ in range(3)] == [[here], [], [here]]
    assert (cloud.get("rules")[0]["matched"], cloud.get("rules")[0]["fired"]) == (3, 1)


@pytest.mark.parametrize("do", ["cut", "empty", "stale"])
@pytest.mark.parametrize("kind", ["instances", "volumes", "snapshots"])
def test_what_is_asked_for_by_id_is_told_truly(cloud, kind, do):
    made = [make(cloud, kind) for _ in range(3)]
    rule(cloud, kind, do, **({"secs": 1000} if do == "stale" else {}))
    name, filter_name = KINDS[kind][2:]
    assert rows(kind, ask(cloud, kind, **{name + "s": made})) == made
    assert listed(cloud, kind, Filters=[{"Name": filter_name, "Values": made}]) == made
    assert cloud.get("rules")[0]["matched"] == 0


@pytest.mark.parametrize("kind", ["instances", "volumes", "snapshots"])
def test_what_is_asked_for_by_tag_is_a_listing(cloud, kind):
    make(cloud, kind)
    by_tag = {"Filters": [{"Name": "tag:team", "Values": ["a"]}]}
    assert len(listed(cloud, kind, **by_tag)) == 1
    rule(cloud, kind, "empty")
    assert listed(cloud, kind, **by_tag) == []


def test_only_listings_are_lied_to(cloud):
    cloud.post("rules", [{"do": "empty"}])
    key = cloud.key()
    instance_id = cloud.running()
    assert cloud.state(instance_id) == "running"
    assert cloud.kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key
    assert cloud.ec2.describe_subnets()["Subnets"]
    assert cloud.ec2.describe_instance_status()["InstanceStatuses"] == []


def test_an_old_listing_shows_tags_types_and_attachments_as_they_were(cloud):
    cloud.post("settings", {"settle": 0})
    volume_id = cloud.volume()
    instance_id = cloud.launch(TagSpecifications=[{"ResourceType": "instance", "Tags": TEAM}])["InstanceId"]
    cloud.ec2.stop_instances(InstanceIds=[instance_id])
    cloud.advance(100)
    cloud.ec2.attach_volume(VolumeId=volume_id, InstanceId=instance_id, Device="/dev/sdf")
    cloud.ec2.modify_volume(VolumeId=volume_id, Size=20)
    cloud.ec2.delete_tags(Resources=[instance_id])
    cloud.ec2.create_tags(Resources=[volume_id], Tags=[{"Key": "new", "Value": ""}])
    cloud.ec2.modify_instance_attribute(InstanceId=instance_id, InstanceType={"Value": "c7g.xlarge"})

    def look():
        instance = cloud.ec2.describe_instances()["Reservations"][0]["Instances"][0]
        volume = next(v for v in cloud.ec2.describe_volumes()["Volumes"] if v["VolumeId"] == volume_id)
        held = len(instance["BlockDeviceMappings"])
        return instance["InstanceType"], instance["Tags"], held, volume["Size"], volume["State"], volume["Tags"]

    assert look() == ("c7g.xlarge", [], 2, 20, "in-use", [{"Key": "new", "Value": ""}])
    cloud.post("rules", [{"do": "stale", "secs": 50}])
    assert look() == ("c7g.large", TEAM, 1, 10, "available", [])
    by_tag = {"Filters": [{"Name": "tag:team", "Values": ["a"]}]}
    assert listed(cloud, "instances", **by_tag) == [instance_id]
    cloud.post("rules", [])
    assert listed(cloud, "instances", **by_tag) == []


def test_an_old_listing_shows_what_is_gone(cloud):
    cloud.post("settings", {"settle": 0, "terminated_visible": 10})
    snapshot_id, volume_id, instance_id = (make(cloud, each) for each in ("snapshots", "volumes", "instances"))
    cloud.advance(100)
    cloud.ec2.delete_snapshot(SnapshotId=snapshot_id)
    cloud.ec2.delete_volume(VolumeId=volume_id)
    cloud.ec2.terminate_instances(InstanceIds=[instance_id])
    cloud.advance(20)
    assert (listed(cloud, "snapshots"), listed(cloud, "instances")) == ([], [])
    cloud.post("rules", [{"do": "stale", "secs": 50}])
    assert (listed(cloud, "snapshots"), listed(cloud, "instances")) == ([snapshot_id], [instance_id])
    assert volume_id in listed(cloud, "volumes")
    assert cloud.ec2.describe_instances()["Reservations"][0]["Instances"][0]["State"]["Name"] == "running"


@pytest.mark.parametrize(
    "wrong",
    [
        {"do": "stale"},
        {"do": "stale", "secs": "long"},
        {"do": "stale", "secs": -1},
        {"do": "empty", "listing": False},
        {"do": "throttle", "listing": "yes"},
        {"do": "cut", "zone": "us-east-1a"},
    ],
)
def test_mistakes_are_told(cloud, wrong):
    with pytest.raises(urllib.error.HTTPError) as error:
        cloud.post("rules", [wrong])
    assert error.value.code == 400
