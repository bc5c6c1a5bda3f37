"""What EC2 does with a key that it cannot use: nothing at first, then the failure, later."""

import pytest
from conftest import SETTLE

INVALID_STATE, INTERNAL = "Client.InvalidKMSKey.InvalidState", "Client.InternalError"


def disabled(cloud):
    key = cloud.key()
    cloud.kms.disable_key(KeyId=key)
    return key


def pending_deletion(cloud):
    key = cloud.key()
    cloud.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    return key


def denied(cloud):
    key = cloud.key()
    cloud.post("deny-key", {"key": key})
    return key


def of_another_region(cloud):
    return cloud.key("eu-central-1")


def unknown(cloud):
    return "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-a000-000000000000"


def unknown_alias(cloud):
    return "arn:aws:kms:us-east-1:123456789012:alias/nobody"


def signing(cloud):
    return cloud.kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")["KeyMetadata"]["Arn"]


BAD = [
    (disabled, INVALID_STATE),
    (pending_deletion, INVALID_STATE),
    (signing, INVALID_STATE),
    (denied, INTERNAL),
    (of_another_region, INTERNAL),
    (unknown, INTERNAL),
    (unknown_alias, INTERNAL),
]


def encrypted(key, **ebs):
    return [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 10, "Encrypted": True, "KmsKeyId": key, **ebs}}]


@pytest.mark.parametrize(("make", "code"), BAD)
def test_a_launch_succeeds_and_then_terminates(cloud, make, code):
    launched = cloud.launch(BlockDeviceMappings=encrypted(make(cloud), DeleteOnTermination=False))
    assert cloud.state(launched["InstanceId"]) == "pending"
    cloud.settled()
    shown = cloud.instance(launched["InstanceId"])
    assert (shown["State"]["Name"], shown["StateReason"]["Code"]) == ("terminated", code)
    assert shown["StateTransitionReason"] == "Client.InternalError"
    assert cloud.ec2.describe_volumes()["Volumes"] == []


@pytest.mark.parametrize(("make", "code"), BAD)
def test_a_volume_is_creating_and_then_gone(cloud, refused, make, code):
    volume_id = cloud.volume(Encrypted=True, KmsKeyId=make(cloud))
    assert cloud.volume_now(volume_id)["State"] == "creating"
    cloud.settled()
    with refused("InvalidVolume.NotFound"):
        cloud.volume_now(volume_id)


@pytest.mark.parametrize(
    ("make", "code"), [(disabled, INVALID_STATE), (pending_deletion, INVALID_STATE), (denied, INTERNAL)]
)
def test_a_start_falls_back_to_stopped(cloud, make, code):
    cloud.post("settings", {"settle": 0})
    key = cloud.key()
    instance_id = cloud.launch(BlockDeviceMappings=encrypted(key))["InstanceId"]
    cloud.ec2.stop_instances(InstanceIds=[instance_id])
    _spoil(cloud, make, key)
    cloud.post("settings", {"settle": SETTLE})
    started = cloud.ec2.start_instances(InstanceIds=[instance_id])["StartingInstances"][0]
    assert started["CurrentState"]["Name"] == "pending"
    cloud.settled()
    shown = cloud.instance(instance_id)
    assert (shown["State"]["Name"], shown["StateReason"]["Code"]) == ("stopped", code)


def _spoil(cloud, make, key):
    if make is disabled:
        cloud.kms.disable_key(KeyId=key)
    elif make is pending_deletion:
        cloud.kms.schedule_key_deletion(KeyId=key)
    else:
        cloud.post("deny-key", {"key": key})


def test_an_attachment_falls_back_to_available(cloud):
    key = cloud.key()
    instance_id, volume_id = cloud.running(), cloud.available(Encrypted=True, KmsKeyId=key)
    cloud.kms.disable_key(KeyId=key)
    assert (
        cloud.ec2.attach_volume(VolumeId=volume_id, InstanceId=instance_id, Device="/dev/sdf")["State"] == "attaching"
    )
    cloud.settled()
    assert cloud.volume_now(volume_id)["State"] == "available"


def test_what_runs_already_is_not_touched(cloud):
    """KMS developer guide, "How unusable KMS keys affect data keys": not until the key is needed again."""
    key = cloud.key()
    instance_id = cloud.running(BlockDeviceMappings=encrypted(key))
    cloud.kms.disable_key(KeyId=key)
    cloud.settled()
    assert cloud.state(instance_id) == "running"


def test_a_good_key_is_good_again_after_it_was_enabled(cloud):
    key = disabled(cloud)
    cloud.kms.enable_key(KeyId=key)
    instance_id = cloud.launch(BlockDeviceMappings=encrypted(key))["InstanceId"]
    cloud.settled()
    assert cloud.state(instance_id) == "running"


def test_the_token_of_a_failed_launch_is_burnt(cloud, refused):
    request = {"ClientToken": "t", "BlockDeviceMappings": encrypted(disabled(cloud))}
    cloud.launch(**request)
    cloud.settled()
    with refused("IdempotentInstanceTerminated"):
        cloud.launch(**request)


def test_encrypted_without_a_key_uses_the_accounts_own(cloud):
    volume = cloud.volume_now(cloud.available(Encrypted=True))
    assert volume["Encrypted"] and volume["KmsKeyId"].startswith("arn:aws:kms:us-east-1:123456789012:key/")
