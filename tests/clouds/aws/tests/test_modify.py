"""What is changed about a thing that stays: a volume's size and speed, a stopped machine's type."""

import pytest


def modify(cloud, volume_id, **wanted) -> dict:
    return cloud.ec2.modify_volume(VolumeId=volume_id, **wanted)["VolumeModification"]


def state(cloud, volume_id) -> str:
    found = cloud.ec2.describe_volumes_modifications(VolumeIds=[volume_id])["VolumesModifications"]
    return found[0]["ModificationState"]


def disk(cloud, volume_id) -> tuple:
    shown = cloud.volume_now(volume_id)
    return shown["Size"], shown["VolumeType"], shown.get("Iops"), shown.get("Throughput")


def test_a_volume_grows_while_it_is_optimized(cloud):
    volume_id = cloud.available()
    change = modify(cloud, volume_id, Size=20, Iops=4000, Throughput=500)
    assert (change["ModificationState"], change["OriginalSize"], change["TargetSize"]) == ("modifying", 10, 20)
    assert (change["TargetIops"], change["TargetThroughput"], change["OriginalIops"]) == (4000, 500, 3000)
    assert disk(cloud, volume_id) == (10, "gp3", 3000, 125)
    cloud.advance(31)
    assert (state(cloud, volume_id), disk(cloud, volume_id)) == ("optimizing", (20, "gp3", 4000, 500))
    cloud.settled()
    assert (state(cloud, volume_id), disk(cloud, volume_id)) == ("completed", (20, "gp3", 4000, 500))


def test_what_is_not_given_stays(cloud):
    volume_id = cloud.available(Iops=5000, Throughput=600)
    modify(cloud, volume_id, Size=20)
    cloud.settled()
    assert disk(cloud, volume_id) == (20, "gp3", 5000, 600)


@pytest.mark.parametrize(
    ("wanted", "becomes"),
    [({"VolumeType": "io2", "Size": 100}, (100, "io2", 3000, None)), ({"VolumeType": "gp2"}, (10, "gp2", 100, None))],
)
def test_another_type_has_its_own_defaults(cloud, wanted, becomes):
    volume_id = cloud.available(Iops=4000)
    modify(cloud, volume_id, **wanted)
    cloud.settled()
    assert disk(cloud, volume_id) == becomes


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("InvalidParameterValue", {"Size": 9}),
        ("InvalidParameterValue", {"Iops": 6000}),
        ("InvalidParameterValue", {"Size": 70000}),
        ("InvalidParameterValue", {"Throughput": 3000}),
        ("InvalidParameterCombination", {"VolumeType": "gp2", "Iops": 3000}),
        ("UnknownVolumeType", {"VolumeType": "gp9"}),
        ("UnknownParameter", {"MultiAttachEnabled": True}),
        ("MissingParameter", {}),
    ],
)
def test_limits(cloud, refused, code, wanted):
    volume_id = cloud.available()
    with refused(code):
        modify(cloud, volume_id, **wanted)
    cloud.settled()
    assert disk(cloud, volume_id) == (10, "gp3", 3000, 125)


def test_one_modification_at_a_time_and_four_a_day(cloud, refused):
    volume_id = cloud.available()
    for size in (11, 12, 13, 14):
        modify(cloud, volume_id, Size=size)
        with refused("IncorrectModificationState"):
            modify(cloud, volume_id, Size=50)
        cloud.settled()
    with refused("VolumeModificationRateExceeded"):
        modify(cloud, volume_id, Size=50)
    cloud.advance(86400)
    modify(cloud, volume_id, Size=50)


def test_a_volume_in_passing_is_not_modified(cloud, refused):
    with refused("IncorrectState"):
        modify(cloud, cloud.volume(), Size=20)


def test_a_volume_that_is_encrypted_stays_so(cloud):
    key = cloud.key()
    volume_id = cloud.available(Encrypted=True, KmsKeyId=key)
    modify(cloud, volume_id, Size=20)
    cloud.settled()
    shown = cloud.volume_now(volume_id)
    assert (shown["Size"], shown["Encrypted"], shown["KmsKeyId"]) == (20, True, key)


def test_an_attached_volume_grows_and_its_machine_may_go(cloud):
    cache = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 10, "DeleteOnTermination": False}}
    instance_id = cloud.running(BlockDeviceMappings=[cache])
    volume_id = cloud.instance(instance_id)["BlockDeviceMappings"][1]["Ebs"]["VolumeId"]
    modify(cloud, volume_id, Size=20)
    cloud.ec2.terminate_instances(InstanceIds=[instance_id])
    cloud.settled()
    shown = cloud.volume_now(volume_id)
    assert (shown["State"], shown["Size"]) == ("available", 20)


def test_modifications_are_listed(cloud, refused):
    one, two = cloud.available(), cloud.available()
    with refused("InvalidVolumeModification.NotFound"):
        state(cloud, one)
    assert cloud.ec2.describe_volumes_modifications()["VolumesModifications"] == []
    modify(cloud, one, Size=20)
    cloud.settled()
    modify(cloud, two, Size=30)

    def found(name, value):
        filters = [{"Name": name, "Values": [value]}]
        rows = cloud.ec2.describe_volumes_modifications(Filters=filters)["VolumesModifications"]
        return [row["VolumeId"] for row in rows]

    assert found("modification-state", "completed") == found("target-size", "20") == found("volume-id", one) == [one]
    assert found("original-size", "10") == found("original-volume-type", "gp3") == [one, two]
    with refused("InvalidParameterValue"):
        found("colour", "green")


def test_a_stopped_machine_gets_another_type(cloud, refused):
    cloud.post("settings", {"settle": 0})
    instance_id = cloud.launch()["InstanceId"]
    with refused("IncorrectInstanceState"):
        cloud.ec2.modify_instance_attribute(InstanceId=instance_id, InstanceType={"Value": "c7g.xlarge"})
    cloud.ec2.stop_instances(InstanceIds=[instance_id])
    cloud.ec2.modify_instance_attribute(InstanceId=instance_id, InstanceType={"Value": "c7g.xlarge"})
    assert cloud.instance(instance_id)["InstanceType"] == "c7g.xlarge"
    cloud.ec2.modify_instance_attribute(InstanceId=instance_id, Attribute="instanceType", Value="c7g.2xlarge")
    found = cloud.ec2.describe_instances(Filters=[{"Name": "instance-type", "Values": ["c7g.2xlarge"]}])
    assert found["Reservations"][0]["Instances"][0]["InstanceId"] == instance_id
    cloud.post("settings", {"max_vcpus": 4})
    with refused("VcpuLimitExceeded"):
        cloud.ec2.start_instances(InstanceIds=[instance_id])


def test_two_of_one_launch_are_changed_apart(cloud):
    cloud.post("settings", {"settle": 0})
    cloud.launch(MinCount=2, MaxCount=2)
    rows = cloud.ec2.describe_instances()["Reservations"][0]["Instances"]
    one, two = [row["InstanceId"] for row in rows]
    cloud.ec2.stop_instances(InstanceIds=[one])
    cloud.ec2.modify_instance_attribute(InstanceId=one, InstanceType={"Value": "c7g.xlarge"})
    assert [cloud.instance(each)["InstanceType"] for each in (one, two)] == ["c7g.xlarge", "c7g.large"]


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("InvalidInstanceAttributeValue", {"InstanceType": {"Value": "z9.huge"}}),
        ("InvalidInstanceAttributeValue", {"InstanceType": {"Value": "c7i.large"}}),
        ("UnsupportedOperation", {"DisableApiTermination": {"Value": True}}),
        ("UnsupportedOperation", {"Attribute": "userData", "Value": "eA=="}),
        ("MissingParameter", {}),
        ("InvalidInstanceID.NotFound", {"InstanceId": "i-00000000000000000", "InstanceType": {"Value": "c7g.xlarge"}}),
    ],
)
def test_what_a_machine_cannot_become(cloud, refused, code, wanted):
    cloud.post("settings", {"settle": 0})
    instance_id = cloud.launch()["InstanceId"]
    cloud.ec2.stop_instances(InstanceIds=[instance_id])
    with refused(code):
        cloud.ec2.modify_instance_attribute(**{"InstanceId": instance_id, **wanted})
    assert cloud.instance(instance_id)["InstanceType"] == "c7g.large"
