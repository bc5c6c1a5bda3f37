"""Volumes: their states, and attaching, detaching and deleting in each."""


def attach(cloud, volume_id, instance_id, device="/dev/sdf"):
    return cloud.ec2.attach_volume(VolumeId=volume_id, InstanceId=instance_id, Device=device)


def test_creating_lasts_then_available(cloud):
    volume_id = cloud.volume()
    assert cloud.volume_now(volume_id)["State"] == "creating"
    cloud.settled()
    assert cloud.volume_now(volume_id)["State"] == "available"


def test_a_volume_born_with_its_instance_is_attached_from_the_start(cloud):
    instance_id = cloud.launch()["InstanceId"]
    volume = cloud.ec2.describe_volumes()["Volumes"][0]
    assert (volume["State"], volume["Attachments"][0]["State"]) == ("in-use", "attaching")
    assert volume["Attachments"][0]["InstanceId"] == instance_id
    cloud.settled()
    assert cloud.ec2.describe_volumes()["Volumes"][0]["Attachments"][0]["State"] == "attached"
    assert cloud.instance(instance_id)["BlockDeviceMappings"][0]["Ebs"]["Status"] == "attached"


def test_attach_and_detach_pass_through_their_states(cloud):
    instance_id, volume_id = cloud.running(), cloud.available()
    assert attach(cloud, volume_id, instance_id)["State"] == "attaching"
    assert cloud.volume_now(volume_id)["State"] == "in-use"
    cloud.settled()
    attachment = cloud.volume_now(volume_id)["Attachments"][0]
    assert (attachment["State"], attachment["DeleteOnTermination"]) == ("attached", False)
    assert cloud.ec2.detach_volume(VolumeId=volume_id)["State"] == "detaching"
    assert cloud.volume_now(volume_id)["State"] == "in-use"
    cloud.settled()
    assert (cloud.volume_now(volume_id)["State"], cloud.volume_now(volume_id)["Attachments"]) == ("available", [])


def test_attaching_twice_is_refused(cloud, refused):
    one, other, volume_id = cloud.running(), cloud.running(), cloud.available()
    attach(cloud, volume_id, one)
    for instance_id in (one, other):
        with refused("VolumeInUse"):
            attach(cloud, volume_id, instance_id)
    cloud.settled()
    with refused("VolumeInUse"):
        attach(cloud, volume_id, other)


def test_a_volume_in_another_zone_cannot_be_attached(cloud, refused):
    with refused("InvalidVolume.ZoneMismatch"):
        attach(cloud, cloud.available("us-east-1b"), cloud.running())


def test_a_volume_that_is_not_ready_cannot_be_attached(cloud, refused):
    with refused("IncorrectState"):
        attach(cloud, cloud.volume(), cloud.running())


def test_an_instance_must_run_or_be_stopped_to_be_attached_to(cloud, refused):
    volume_id, pending = cloud.available(), cloud.launch()["InstanceId"]
    with refused("IncorrectState"):
        attach(cloud, volume_id, pending)
    ending = cloud.running()
    cloud.ec2.terminate_instances(InstanceIds=[ending])
    for _ in ("shutting-down", "terminated"):
        with refused("IncorrectState"):
            attach(cloud, volume_id, ending)
        cloud.settled()
    stopped = cloud.running()
    cloud.ec2.stop_instances(InstanceIds=[stopped])
    with refused("IncorrectState"):
        attach(cloud, volume_id, stopped)
    cloud.settled()
    attach(cloud, volume_id, stopped)


def test_a_device_name_is_used_once(cloud, refused):
    instance_id = cloud.running()
    attach(cloud, cloud.available(), instance_id)
    with refused("InvalidParameterValue"):
        attach(cloud, cloud.available(), instance_id)


def test_detaching_needs_an_attachment_that_is_complete(cloud, refused):
    instance_id, volume_id = cloud.running(), cloud.available()
    with refused("IncorrectState"):
        cloud.ec2.detach_volume(VolumeId=volume_id)
    attach(cloud, volume_id, instance_id)
    with refused("IncorrectState"):
        cloud.ec2.detach_volume(VolumeId=volume_id)
    cloud.settled()
    with refused("InvalidAttachment.NotFound"):
        cloud.ec2.detach_volume(VolumeId=volume_id, InstanceId=cloud.running())
    cloud.ec2.detach_volume(VolumeId=volume_id)
    with refused("IncorrectState"):
        cloud.ec2.detach_volume(VolumeId=volume_id)


def test_the_root_stays_while_the_instance_runs(cloud, refused):
    cloud.running()
    root = cloud.ec2.describe_volumes()["Volumes"][0]["VolumeId"]
    with refused("OperationNotPermitted"):
        cloud.ec2.detach_volume(VolumeId=root)


def test_deleting_passes_through_its_state(cloud, refused):
    volume_id = cloud.available()
    cloud.ec2.delete_volume(VolumeId=volume_id)
    assert cloud.volume_now(volume_id)["State"] == "deleting"
    with refused("InvalidVolume.NotFound"):
        cloud.ec2.delete_volume(VolumeId=volume_id)
    cloud.settled()
    with refused("InvalidVolume.NotFound"):
        cloud.volume_now(volume_id)
    assert cloud.ec2.describe_volumes()["Volumes"] == []


def test_what_is_attached_is_not_deleted(cloud, refused):
    instance_id, volume_id = cloud.running(), cloud.available()
    attach(cloud, volume_id, instance_id)
    with refused("VolumeInUse"):
        cloud.ec2.delete_volume(VolumeId=volume_id)
    cloud.settled()
    cloud.ec2.detach_volume(VolumeId=volume_id)
    with refused("VolumeInUse"):
        cloud.ec2.delete_volume(VolumeId=volume_id)


def test_what_is_being_created_is_not_deleted(cloud, refused):
    with refused("IncorrectState"):
        cloud.ec2.delete_volume(VolumeId=cloud.volume())


def test_an_attached_volume_survives_its_instance(cloud):
    instance_id, volume_id = cloud.running(), cloud.available()
    attach(cloud, volume_id, instance_id)
    cloud.settled()
    cloud.ec2.terminate_instances(InstanceIds=[instance_id])
    cloud.settled()
    assert cloud.volume_now(volume_id)["State"] == "available"


def test_unknown_and_malformed_ids(cloud, refused):
    with refused("InvalidVolume.NotFound"):
        cloud.ec2.delete_volume(VolumeId="vol-00000000000000000")
    with refused("InvalidParameterValue"):
        cloud.ec2.delete_volume(VolumeId="my-volume")
    with refused("InvalidInstanceID.NotFound"):
        attach(cloud, cloud.available(), "i-00000000000000000")
    with refused("InvalidVolume.NotFound"):
        cloud.client("ec2", "eu-central-1").describe_volumes(VolumeIds=[cloud.available()])
