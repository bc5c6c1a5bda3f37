"""RunInstances: what it checks, and what it shows afterwards."""

import base64

import pytest

ROOT, CACHE = "/dev/xvda", "/dev/sdf"


def disk(device=CACHE, **ebs):
    return {"DeviceName": device, "Ebs": {"VolumeSize": 100, "VolumeType": "gp3", **ebs}}


def volumes_of(cloud, instance_id):
    found = cloud.ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance_id]}])["Volumes"]
    return {volume["Attachments"][0]["Device"]: volume for volume in found}


def test_disks_are_as_asked(cloud):
    key = cloud.key()
    cache = disk(Encrypted=True, KmsKeyId=key, Iops=6000, Throughput=500, DeleteOnTermination=False)
    root = disk(ROOT, VolumeSize=20, Encrypted=True, KmsKeyId=key)
    found = volumes_of(cloud, cloud.launch(BlockDeviceMappings=[root, cache])["InstanceId"])
    made = found[CACHE]
    assert (made["Size"], made["VolumeType"], made["Iops"], made["Throughput"]) == (100, "gp3", 6000, 500)
    assert (made["Encrypted"], made["KmsKeyId"], made["AvailabilityZone"]) == (True, key, "us-east-1a")
    assert made["Attachments"][0]["DeleteOnTermination"] is False
    root = found[ROOT]
    assert (root["Size"], root["Iops"], root["Throughput"], root["KmsKeyId"]) == (20, 3000, 125, key)
    assert root["Attachments"][0]["DeleteOnTermination"] is True


def test_without_mappings_there_is_an_unencrypted_root(cloud):
    found = volumes_of(cloud, cloud.launch()["InstanceId"])
    assert list(found) == [ROOT]
    assert (found[ROOT]["Encrypted"], found[ROOT]["Size"]) == (False, 8)


def test_an_alias_is_shown_as_the_arn_of_its_key(cloud):
    key = cloud.key()
    cloud.kms.create_alias(AliasName="alias/a/b", TargetKeyId=key)
    launched = cloud.launch(BlockDeviceMappings=[disk(Encrypted=True, KmsKeyId="alias/a/b")])
    assert volumes_of(cloud, launched["InstanceId"])[CACHE]["KmsKeyId"] == key


def test_a_key_without_encrypted_is_refused(cloud, refused):
    with refused("InvalidParameterDependency"):
        cloud.launch(BlockDeviceMappings=[disk(KmsKeyId=cloud.key())])


def test_a_root_smaller_than_its_snapshot_is_refused(cloud, refused):
    with refused("InvalidBlockDeviceMapping"):
        cloud.launch(BlockDeviceMappings=[disk(ROOT, VolumeSize=4)])


def test_a_device_is_mapped_once(cloud, refused):
    with refused("InvalidBlockDeviceMapping"):
        cloud.launch(BlockDeviceMappings=[disk(), disk()])


def test_tags_go_to_the_instance_and_to_each_volume(cloud):
    tags = [{"ResourceType": kind, "Tags": [{"Key": "kind", "Value": kind}]} for kind in ("instance", "volume")]
    launched = cloud.launch(TagSpecifications=tags, BlockDeviceMappings=[disk()])
    assert launched["Tags"] == [{"Key": "kind", "Value": "instance"}]
    for volume in volumes_of(cloud, launched["InstanceId"]).values():
        assert volume["Tags"] == [{"Key": "kind", "Value": "volume"}]


def test_metadata_options_profile_and_network_are_shown(cloud):
    options = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"}
    shown = cloud.instance(cloud.launch(MetadataOptions=options, IamInstanceProfile={"Name": "builder"})["InstanceId"])
    assert {name: shown["MetadataOptions"][name] for name in options} == options
    assert shown["IamInstanceProfile"]["Arn"] == "arn:aws:iam::123456789012:instance-profile/builder"
    assert shown["Placement"]["AvailabilityZone"] == "us-east-1a"
    assert shown["SubnetId"] == cloud.place()["subnets"]["us-east-1a"]
    assert shown["SecurityGroups"][0]["GroupId"] == cloud.place()["security_group"]
    assert (shown["Architecture"], shown["InstanceType"]) == ("arm64", "c7g.large")


def test_imdsv1_is_open_unless_it_is_closed(cloud):
    assert cloud.launch()["MetadataOptions"]["HttpTokens"] == "optional"


def test_metadata_options_are_checked(cloud, refused):
    for wrong in ({"HttpTokens": "maybe"}, {"HttpPutResponseHopLimit": 65}):
        with refused("InvalidParameterValue"):
            cloud.launch(MetadataOptions=wrong)


def test_user_data_is_kept(cloud):
    launched = cloud.launch(UserData="#!/bin/sh\ntrue\n")
    found = cloud.ec2.describe_instance_attribute(InstanceId=launched["InstanceId"], Attribute="userData")
    assert base64.b64decode(found["UserData"]["Value"]) == b"#!/bin/sh\ntrue\n"


def test_user_data_is_limited(cloud, refused):
    with refused("InvalidParameterValue"):
        cloud.launch(UserData="x" * (16 * 1024 + 1))


def test_subnet_and_group_must_be_of_the_region(cloud, refused):
    elsewhere = cloud.place("eu-central-1")
    with refused("InvalidSubnetID.NotFound"):
        cloud.launch(SubnetId=elsewhere["subnets"]["eu-central-1a"])
    with refused("InvalidGroup.NotFound"):
        cloud.launch(SecurityGroupIds=[elsewhere["security_group"]])


def test_group_and_subnet_must_be_of_one_network(cloud, refused):
    vpc = cloud.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group = cloud.ec2.create_security_group(GroupName="x", Description="y", VpcId=vpc)["GroupId"]
    with refused("InvalidParameter"):
        cloud.launch(SecurityGroupIds=[group])


def test_an_image_belongs_to_its_region(cloud, refused):
    with refused("InvalidAMIID.NotFound"):
        cloud.launch(ImageId=cloud.place("eu-central-1")["images"]["arm64"])
    with refused("InvalidAMIID.Malformed"):
        cloud.launch(ImageId="my-image")


@pytest.mark.parametrize(("architecture", "machine"), [("arm64", "c7g.large"), ("x86_64", "c7i.large")])
def test_an_image_may_be_named_by_parameter(cloud, refused, architecture, machine):
    path = f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
    launched = cloud.launch(ImageId=f"resolve:ssm:{path}", InstanceType=machine)
    assert launched["ImageId"] == cloud.place()["images"][architecture]
    assert launched["Architecture"] == architecture
    assert cloud.client("ssm").get_parameter(Name=path)["Parameter"]["Value"] == launched["ImageId"]
    with refused("InvalidParameterValue"):
        cloud.launch(ImageId="resolve:ssm:/no/such/path")


def test_image_and_type_must_have_one_architecture(cloud, refused):
    with refused("InvalidParameterValue"):
        cloud.launch(InstanceType="c7i.large")
    with refused("InvalidParameterValue"):
        cloud.launch(ImageId=cloud.place()["images"]["x86_64"])
    with refused("InvalidParameterValue"):
        cloud.launch(InstanceType="c7g.enormous")


def test_a_zone_that_does_not_offer_the_type_is_unsupported(cloud, refused):
    with refused("Unsupported"):
        cloud.launch(zone="e")  # us-east-1e has no c7g


@pytest.mark.parametrize("hole", [{}, {"region": "us-east-1"}, {"zone": "us-east-1a"}, {"type": "c7g.large"}])
def test_no_capacity_is_refused_before_any_effect(cloud, refused, hole):
    cloud.post("capacity", [hole])
    with refused("InsufficientInstanceCapacity", 500):
        cloud.launch()
    region = cloud.get("state")["regions"]["us-east-1"]
    assert (region["instances"], region["volumes"]) == ([], [])


def test_capacity_elsewhere_is_not_touched(cloud, refused):
    cloud.post("capacity", [{"zone": "us-east-1a", "type": "c7g.large"}])
    with refused("InsufficientInstanceCapacity", 500):
        cloud.launch()
    cloud.launch(zone="b")
    cloud.launch(InstanceType="c7g.xlarge")


def test_the_vcpu_quota_counts_what_runs(cloud, refused):
    cloud.post("settings", {"max_vcpus": 4})
    cloud.launch(MinCount=2, MaxCount=2)
    with refused("VcpuLimitExceeded"):
        cloud.launch()


def test_a_volume_quota_fails_the_launch_later(cloud):
    cloud.post("settings", {"max_volumes": 1})
    launched = cloud.launch(BlockDeviceMappings=[disk()])
    assert launched["State"]["Name"] == "pending"
    cloud.settled()
    shown = cloud.instance(launched["InstanceId"])
    assert (shown["State"]["Name"], shown["StateReason"]["Code"]) == ("terminated", "Client.VolumeLimitExceeded")


def test_what_is_not_emulated_is_refused(cloud, refused):
    with refused("UnknownParameter"):
        cloud.launch(HibernationOptions={"Configured": True})
    with refused("UnsupportedOperation"):
        cloud.launch(Placement={"Tenancy": "dedicated"})
    with refused("UnsupportedOperation"):
        cloud.ec2.create_image(InstanceId=cloud.launch()["InstanceId"], Name="image")


def test_a_network_interface_carries_subnet_and_groups(cloud, refused):
    place = cloud.place()
    interface = {"DeviceIndex": 0, "SubnetId": place["subnets"]["us-east-1b"], "Groups": [place["security_group"]]}
    launched = cloud.launch(SubnetId=None, SecurityGroupIds=None, NetworkInterfaces=[interface])
    assert launched["Placement"]["AvailabilityZone"] == "us-east-1b"
    with refused("InvalidParameterCombination"):
        cloud.launch(NetworkInterfaces=[interface])


def test_a_dry_run_has_no_effect(cloud, refused):
    with refused("DryRunOperation", 412):
        cloud.launch(DryRun=True)
    assert cloud.ec2.describe_instances()["Reservations"] == []
