"""The control API: the ledger, the dump, resets, and its own manners."""

import http.client
import time
import urllib.error

import pytest


def test_calls_are_recorded_in_order_and_counted(cloud, refused):
    cloud.launch(ClientToken="t")
    cloud.kms.list_keys()
    with refused("InvalidInstanceID.NotFound"):
        cloud.ec2.terminate_instances(InstanceIds=["i-00000000000000000"])
    cloud.client("ec2", "eu-central-1").describe_subnets()
    found = cloud.get("calls")
    assert found["total"] == 4
    assert found["counts"] == {
        "ec2.RunInstances": 1,
        "kms.ListKeys": 1,
        "ec2.TerminateInstances": 1,
        "ec2.DescribeSubnets": 1,
    }
    shown = [
        (c["n"], c["service"], c["region"], c["action"], c["token"], c["status"], c["code"]) for c in found["calls"]
    ]
    assert shown == [
        (1, "ec2", "us-east-1", "RunInstances", "t", 200, None),
        (2, "kms", "us-east-1", "ListKeys", None, 200, None),
        (3, "ec2", "us-east-1", "TerminateInstances", None, 400, "InvalidInstanceID.NotFound"),
        (4, "ec2", "eu-central-1", "DescribeSubnets", None, 200, None),
    ]
    assert abs(found["calls"][0]["at"] - time.time()) < 60


def test_errors_of_moto_are_recorded_with_their_code(cloud, refused):
    with refused("InvalidSubnetID.NotFound"):
        cloud.ec2.describe_subnets(SubnetIds=["subnet-00000000"])
    assert cloud.get("calls")["calls"][0]["code"] == "InvalidSubnetID.NotFound"


def test_reset_calls_keeps_the_clouds(cloud):
    cloud.launch()
    cloud.post("reset-calls")
    assert cloud.get("calls") == {"calls": [], "counts": {}, "total": 0}
    assert cloud.ec2.describe_instances()["Reservations"]


def test_reset_wipes_everything(cloud):
    cloud.launch(ClientToken="t")
    key = cloud.key()
    cloud.ec2.create_security_group(GroupName="x", Description="y")
    cloud.post("settings", {"settle": 7, "page_size": 3})
    cloud.post("rules", [{"do": "throttle", "nth": 9}])
    cloud.post("capacity", [{"zone": "us-east-1f"}])
    cloud.post("deny-key", {"key": key})
    cloud.advance(1000)
    cloud.post("reset", {"keep_settings": False})
    assert cloud.get("state") == {"regions": {}}
    assert (cloud.get("calls")["total"], cloud.get("rules"), cloud.get("capacity")) == (0, [], [])
    assert (cloud.get("settings")["settle"], cloud.get("settings")["page_size"]) == (60.0, None)
    groups = cloud.ec2.describe_security_groups()["SecurityGroups"]
    assert [group["GroupName"] for group in groups] == ["default"]


def test_reset_can_keep_the_settings(cloud):
    cloud.post("settings", {"settle": 7})
    cloud.post("reset", {"keep_settings": True})
    assert cloud.get("settings")["settle"] == 7


def test_reset_is_quick_and_leaves_the_network_as_it_was(cloud):
    before = cloud.get("regions/us-east-1")
    for _ in range(20):
        cloud.launch()
    cloud.ec2.create_vpc(CidrBlock="10.9.0.0/16")
    start = time.monotonic()
    cloud.post("reset", {})
    assert time.monotonic() - start < 0.5  # a tenth of it on a machine that does nothing else
    assert cloud.get("regions/us-east-1") == before


def test_the_dump_shows_what_there_is(cloud):
    key = cloud.key()
    cloud.kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    cache = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 10, "Encrypted": True, "KmsKeyId": key}}
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}]
    one = cloud.running(BlockDeviceMappings=[cache], TagSpecifications=tags)
    gone = cloud.running()
    cloud.ec2.terminate_instances(InstanceIds=[gone])
    cloud.settled()
    cloud.launch("eu-central-1")
    found = cloud.get("state")["regions"]
    assert set(found) == {"us-east-1", "eu-central-1"}
    here = found["us-east-1"]
    assert [(i["id"], i["state"], i["tags"]) for i in here["instances"]] == [(one, "running", {"a": "b"})]
    assert here["terminated"] == [gone]
    assert [(v["size_gib"], v["key"], v["attachment"]["instance"]) for v in here["volumes"]] == [
        (8, None, one),
        (10, key, one),
    ]
    assert [(k["arn"], k["state"]) for k in here["keys"]] == [(key, "Enabled")]
    assert here["aliases"] == {"alias/a": key.rpartition("/")[2]}


def test_a_region_tells_what_a_configuration_needs(cloud):
    place = cloud.get("regions/eu-central-1")
    assert sorted(place["subnets"]) == ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    subnets = cloud.client("ec2", "eu-central-1").describe_subnets()["Subnets"]
    assert {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in subnets} == place["subnets"]
    assert set(place["images"]) == {"x86_64", "arm64"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("settings", {"colour": 1}),
        ("settings", {"settle": -1}),
        ("settings", {"page_size": 0}),
        ("settings", {"terminated_token": "maybe"}),
        ("settings", {"page_size": 1.5}),
        ("rules", [{"do": "explode"}]),
        ("rules", [{"do": "throttle", "actoin": "RunInstances"}]),
        ("rules", [{"do": "error"}]),
        ("rules", {"do": "throttle"}),
        ("capacity", [{"colour": "green"}]),
        ("advance", {"secs": -1}),
    ],
)
def test_mistakes_are_told(cloud, path, body):
    with pytest.raises(urllib.error.HTTPError) as error:
        cloud.post(path, body)
    assert error.value.code == 400


def test_an_unknown_path_is_not_found(cloud):
    with pytest.raises(urllib.error.HTTPError) as error:
        cloud.get("nonsense")
    assert error.value.code == 404


def test_a_request_without_a_signature_is_refused(cloud):
    connection = http.client.HTTPConnection(cloud.url.removeprefix("http://"))
    connection.request("POST", "/", "Action=DescribeInstances&Version=2016-11-15")
    assert connection.getresponse().status == 403
    assert cloud.get("calls")["total"] == 0


def test_a_connection_is_kept_alive(cloud):
    connection = http.client.HTTPConnection(cloud.url.removeprefix("http://"))
    for _ in range(3):
        connection.request("GET", "/_emulator/healthz")
        first = connection.sock
        assert connection.getresponse().read() == b'{"ok": true}'
        assert connection.sock is first
