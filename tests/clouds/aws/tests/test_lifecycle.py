"""The states of instances: how long they last, and what may be done in which."""

import time

from conftest import SETTLE


def test_pending_lasts_then_runs(cloud):
    instance_id = cloud.launch()["InstanceId"]
    assert cloud.state(instance_id) == "pending"
    cloud.advance(SETTLE / 2)
    assert cloud.state(instance_id) == "pending"
    cloud.settled()
    assert cloud.state(instance_id) == "running"


def test_settle_can_be_changed_and_be_nothing(cloud):
    cloud.post("settings", {"settle": 0})
    assert cloud.state(cloud.launch()["InstanceId"]) == "running"
    cloud.post("settings", {"settle": 0.2})
    instance_id = cloud.launch()["InstanceId"]
    time.sleep(0.25)  # once in real time
    assert cloud.state(instance_id) == "running"


def test_stop_and_start_pass_through_their_states(cloud):
    instance_id = cloud.running()
    change = cloud.ec2.stop_instances(InstanceIds=[instance_id])["StoppingInstances"][0]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "stopping")
    assert cloud.state(instance_id) == "stopping"
    cloud.settled()
    shown = cloud.instance(instance_id)
    assert (shown["State"]["Name"], shown["StateReason"]["Code"]) == ("stopped", "Client.UserInitiatedShutdown")
    change = cloud.ec2.start_instances(InstanceIds=[instance_id])["StartingInstances"][0]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("stopped", "pending")
    cloud.settled()
    shown = cloud.instance(instance_id)
    assert (shown["State"]["Name"], "StateReason" in shown) == ("running", False)


def test_termination_passes_through_shutting_down(cloud):
    instance_id = cloud.running()
    cloud.ec2.terminate_instances(InstanceIds=[instance_id])
    assert cloud.state(instance_id) == "shutting-down"
    cloud.settled()
    assert cloud.state(instance_id) == "terminated"


def test_start_while_stopping_is_refused(cloud, refused):
    instance_id = cloud.running()
    cloud.ec2.stop_instances(InstanceIds=[instance_id])
    with refused("IncorrectInstanceState"):
        cloud.ec2.start_instances(InstanceIds=[instance_id])


def test_stop_before_it_ever_ran_is_refused(cloud, refused):
    instance_id = cloud.launch()["InstanceId"]
    with refused("IncorrectInstanceState"):
        cloud.ec2.stop_instances(InstanceIds=[instance_id])


def test_what_is_terminated_neither_starts_nor_stops(cloud, refused):
    instance_id = cloud.running()
    cloud.ec2.terminate_instances(InstanceIds=[instance_id])
    for _ in ("shutting-down", "terminated"):
        with refused("IncorrectInstanceState"):
            cloud.ec2.start_instances(InstanceIds=[instance_id])
        with refused("IncorrectInstanceState"):
            cloud.ec2.stop_instances(InstanceIds=[instance_id])
        cloud.settled()


def test_doing_it_twice_is_no_error(cloud):
    instance_id = cloud.running()
    cloud.ec2.start_instances(InstanceIds=[instance_id])
    assert cloud.state(instance_id) == "running"
    for _ in range(2):
        cloud.ec2.stop_instances(InstanceIds=[instance_id])
    for _ in range(2):
        cloud.ec2.terminate_instances(InstanceIds=[instance_id])
    cloud.settled()
    cloud.ec2.terminate_instances(InstanceIds=[instance_id])
    assert cloud.state(instance_id) == "terminated"


def test_a_terminated_instance_stays_visible_with_its_tags_for_a_while(cloud, refused):
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}]
    instance_id = cloud.running(TagSpecifications=tags)
    cloud.post("settings", {"settle": 0, "terminated_visible": 600})
    cloud.ec2.terminate_instances(InstanceIds=[instance_id])
    shown = cloud.instance(instance_id)
    assert (shown["State"]["Name"], shown["Tags"]) == ("terminated", [{"Key": "a", "Value": "b"}])
    assert "SubnetId" not in shown and shown["BlockDeviceMappings"] == []
    cloud.advance(601)
    assert cloud.ec2.describe_instances()["Reservations"] == []
    with refused("InvalidInstanceID.NotFound"):
        cloud.instance(instance_id)


def test_termination_takes_the_root_and_leaves_the_cache(cloud):
    cache = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 10, "DeleteOnTermination": False}}
    instance_id = cloud.running(BlockDeviceMappings=[cache])
    cloud.ec2.terminate_instances(InstanceIds=[instance_id])
    assert [volume["State"] for volume in cloud.ec2.describe_volumes()["Volumes"]] == ["in-use", "in-use"]
    cloud.settled()
    left = cloud.ec2.describe_volumes()["Volumes"]
    assert [(volume["Size"], volume["State"], volume["Attachments"]) for volume in left] == [(10, "available", [])]


def test_unknown_and_malformed_ids(cloud, refused):
    with refused("InvalidInstanceID.NotFound"):
        cloud.ec2.terminate_instances(InstanceIds=["i-00000000000000000"])
    with refused("InvalidInstanceID.Malformed"):
        cloud.ec2.start_instances(InstanceIds=["my-instance"])


def test_one_unknown_id_spares_the_others(cloud, refused):
    instance_id = cloud.running()
    with refused("InvalidInstanceID.NotFound"):
        cloud.ec2.terminate_instances(InstanceIds=[instance_id, "i-00000000000000000"])
    assert cloud.state(instance_id) == "running"


def test_an_instance_is_not_found_in_another_region(cloud, refused):
    instance_id = cloud.running()
    with refused("InvalidInstanceID.NotFound"):
        cloud.instance(instance_id, "eu-central-1")
    assert cloud.client("ec2", "eu-central-1").describe_instances()["Reservations"] == []


def test_a_start_needs_capacity_and_quota(cloud, refused):
    cloud.post("settings", {"settle": 0})
    instance_id = cloud.launch()["InstanceId"]
    cloud.ec2.stop_instances(InstanceIds=[instance_id])
    cloud.post("capacity", [{"zone": "us-east-1a"}])
    with refused("InsufficientInstanceCapacity", 500):
        cloud.ec2.start_instances(InstanceIds=[instance_id])
    cloud.post("capacity", [])
    cloud.post("settings", {"max_vcpus": 1})
    with refused("VcpuLimitExceeded"):
        cloud.ec2.start_instances(InstanceIds=[instance_id])
    assert cloud.state(instance_id) == "stopped"
