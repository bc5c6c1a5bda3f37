"""What a disk may be, in CreateVolume and in RunInstances alike."""

import pytest

ALLOWED = [
    {"VolumeType": "gp3", "Size": 1},
    {"VolumeType": "gp3", "Size": 65536},
    {"VolumeType": "gp3", "Size": 160, "Iops": 80000, "Throughput": 2000},
    {"VolumeType": "gp3", "Size": 6, "Iops": 3000},
    {"VolumeType": "gp3", "Size": 16, "Iops": 8000, "Throughput": 2000},
    {"VolumeType": "io1", "Size": 4, "Iops": 200},
    {"VolumeType": "gp2", "Size": 16384},
]
REFUSED = [
    ("InvalidParameterValue", {"VolumeType": "gp3", "Size": 65537}),
    ("InvalidParameterValue", {"VolumeType": "gp3", "Size": 0}),
    ("InvalidParameterValue", {"VolumeType": "gp3", "Size": 100, "Iops": 2999}),
    ("InvalidParameterValue", {"VolumeType": "gp3", "Size": 65536, "Iops": 80001}),
    ("InvalidParameterValue", {"VolumeType": "gp3", "Size": 15, "Iops": 8000}),  # 500 IOPS a GiB
    ("InvalidParameterValue", {"VolumeType": "gp3", "Size": 100, "Throughput": 124}),
    ("InvalidParameterValue", {"VolumeType": "gp3", "Size": 500, "Iops": 16000, "Throughput": 2001}),
    ("InvalidParameterValue", {"VolumeType": "gp3", "Size": 100, "Throughput": 751}),  # 0.25 MiB/s an IOPS
    ("InvalidParameterCombination", {"VolumeType": "gp2", "Size": 100, "Throughput": 125}),
    ("InvalidParameterCombination", {"VolumeType": "gp2", "Size": 100, "Iops": 3000}),
    ("MissingParameter", {"VolumeType": "io1", "Size": 100}),
    ("UnknownVolumeType", {"VolumeType": "gp4", "Size": 100}),
]


@pytest.mark.parametrize("wanted", ALLOWED)
def test_allowed(cloud, wanted):
    cloud.ec2.create_volume(AvailabilityZone="us-east-1a", **wanted)


@pytest.mark.parametrize(("code", "wanted"), REFUSED)
def test_refused_as_a_volume(cloud, refused, code, wanted):
    with refused(code):
        cloud.ec2.create_volume(AvailabilityZone="us-east-1a", **wanted)
    assert cloud.ec2.describe_volumes()["Volumes"] == []


@pytest.mark.parametrize(("code", "wanted"), REFUSED)
def test_refused_as_a_mapping(cloud, refused, code, wanted):
    ebs = {("VolumeSize" if name == "Size" else name): value for name, value in wanted.items()}
    with refused(code):
        cloud.launch(BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": ebs}])
    assert cloud.ec2.describe_instances()["Reservations"] == []


def test_a_disk_needs_a_size(cloud, refused):
    with refused("MissingParameter"):
        cloud.ec2.create_volume(AvailabilityZone="us-east-1a", VolumeType="gp3")


def test_a_zone_must_be_of_the_region(cloud, refused):
    with refused("InvalidZone.NotFound"):
        cloud.ec2.create_volume(AvailabilityZone="eu-central-1a", Size=10)


def test_a_key_without_encrypted_is_refused(cloud, refused):
    with refused("InvalidParameterDependency"):
        cloud.volume(KmsKeyId=cloud.key())


def test_the_volume_quota(cloud, refused):
    cloud.post("settings", {"max_volumes": 1})
    cloud.volume()
    with refused("VolumeLimitExceeded"):
        cloud.volume()
