"""Client tokens: replay, mismatch, scope, burnt tokens."""

from concurrent.futures import ThreadPoolExecutor

import pytest


def test_the_same_run_twice_is_one_instance(cloud):
    first, second = cloud.launch(ClientToken="t"), cloud.launch(ClientToken="t")
    assert first["InstanceId"] == second["InstanceId"]
    assert len(cloud.get("state")["regions"]["us-east-1"]["instances"]) == 1


def test_the_same_run_many_times_at_once_is_one_instance(cloud):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: cloud.launch(ClientToken=f"t{n % 2}")["InstanceId"], range(16)))
    assert len(set(made)) == 2


def test_without_a_token_each_run_is_another_instance(cloud):
    """boto3 makes up a token when there is none; an empty one it sends as it is."""
    assert cloud.launch(ClientToken="")["InstanceId"] != cloud.launch(ClientToken="")["InstanceId"]


def test_a_run_with_other_parameters_is_a_mismatch(cloud, refused):
    cloud.launch(ClientToken="t")
    with refused("IdempotentParameterMismatch"):
        cloud.launch(ClientToken="t", InstanceType="c7g.xlarge")
    with refused("IdempotentParameterMismatch"):
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}]
        cloud.launch(ClientToken="t", TagSpecifications=tags)


def test_a_replay_shows_the_state_of_now(cloud):
    first = cloud.launch(ClientToken="t")
    cloud.settled()
    again = cloud.launch(ClientToken="t")
    assert (first["State"]["Name"], again["State"]["Name"]) == ("pending", "running")


@pytest.mark.parametrize("visible", [3600, 0])
def test_a_token_whose_instance_has_terminated_is_burnt(cloud, refused, visible):
    """Also when the instance is no longer shown."""
    cloud.post("settings", {"terminated_visible": visible})
    first = cloud.launch(ClientToken="t")
    cloud.ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
    assert cloud.launch(ClientToken="t")["State"]["Name"] == "shutting-down"
    cloud.advance(100)
    with refused("IdempotentInstanceTerminated"):
        cloud.launch(ClientToken="t")
    cloud.post("settings", {"terminated_token": "replay"})
    again = cloud.launch(ClientToken="t")
    assert (again["InstanceId"], again["State"]["Name"]) == (first["InstanceId"], "terminated")


def test_a_run_that_was_refused_leaves_its_token_free(cloud, refused):
    cloud.post("capacity", [{}])
    with refused("InsufficientInstanceCapacity", 500):
        cloud.launch(ClientToken="t")
    cloud.post("capacity", [])
    cloud.launch(ClientToken="t", InstanceType="c7g.xlarge")


def test_with_a_subnet_a_token_counts_in_its_zone_only(cloud):
    """The trap: the same token in another zone is a second machine."""
    here, there = cloud.launch(ClientToken="t"), cloud.launch(ClientToken="t", zone="b")
    assert here["InstanceId"] != there["InstanceId"]


def test_without_a_zone_a_token_counts_in_the_region(cloud, refused):
    first = cloud.launch(ClientToken="t", SubnetId=None)
    assert cloud.launch(ClientToken="t", SubnetId=None)["InstanceId"] == first["InstanceId"]
    with refused("IdempotentParameterMismatch"):
        cloud.launch(ClientToken="t", SubnetId=None, InstanceType="c7g.xlarge")


def test_a_token_counts_in_its_region_only(cloud):
    here, there = cloud.launch(ClientToken="t"), cloud.launch("eu-central-1", ClientToken="t")
    assert here["InstanceId"] != there["InstanceId"]


def test_a_token_has_at_most_64_ascii_characters(cloud, refused):
    cloud.launch(ClientToken="x" * 64)
    with refused("InvalidParameterValue"):
        cloud.launch(ClientToken="x" * 65)
    with refused("InvalidParameterValue"):
        cloud.launch(ClientToken="schlüssel")


def test_the_same_volume_twice_is_one_volume(cloud, refused):
    first = cloud.volume(ClientToken="t")
    assert cloud.volume(ClientToken="t") == first
    with refused("IdempotentParameterMismatch"):
        cloud.volume(ClientToken="t", Size=11)


def test_a_run_and_a_volume_may_share_a_token(cloud):
    cloud.launch(ClientToken="t")
    cloud.volume(ClientToken="t")
