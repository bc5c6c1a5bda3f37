"""What a person does behind our back, with the AWS CLI as it is: each command changes what the API shows."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

AWS = pathlib.Path(sys.executable).with_name("aws")


@pytest.fixture
def aws(cloud):
    cloud.post("settings", {"settle": 0})

    def run(*words):
        environment = {**os.environ, "AWS_ENDPOINT_URL": cloud.url, "AWS_DEFAULT_REGION": "us-east-1"}
        command = [str(AWS), *words, "--output", "json"]
        found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert found.returncode == 0, found.stderr
        return json.loads(found.stdout) if found.stdout.strip() else None

    return run


def run_instance(cloud, aws) -> str:
    place = cloud.place()
    made = aws("ec2", "run-instances", "--image-id", place["images"]["arm64"], "--instance-type", "c7g.large",
               "--count", "1", "--subnet-id", place["subnets"]["us-east-1a"],
               "--metadata-options", "HttpTokens=required",
               "--tag-specifications", "ResourceType=instance,Tags=[{Key=team,Value=a}]")  # fmt: skip
    return made["Instances"][0]["InstanceId"]


def test_machines_are_stopped_resized_tagged_and_terminated(cloud, aws):
    instance = run_instance(cloud, aws)
    aws("ec2", "stop-instances", "--instance-ids", instance)
    aws("ec2", "modify-instance-attribute", "--instance-id", instance, "--instance-type", "c7g.xlarge")
    aws("ec2", "start-instances", "--instance-ids", instance)
    aws("ec2", "create-tags", "--resources", instance, "--tags", "Key=by,Value=hand")
    aws("ec2", "delete-tags", "--resources", instance, "--tags", "Key=team")
    shown = cloud.instance(instance)
    assert (shown["State"]["Name"], shown["InstanceType"]) == ("running", "c7g.xlarge")
    assert shown["Tags"] == [{"Key": "by", "Value": "hand"}]
    aws("ec2", "terminate-instances", "--instance-ids", instance)
    assert cloud.state(instance) == "terminated"


def test_volumes_are_made_moved_grown_and_snapshotted(cloud, aws):
    instance = run_instance(cloud, aws)
    made = aws("ec2", "create-volume", "--availability-zone", "us-east-1a", "--size", "10", "--volume-type", "gp3",
               "--no-encrypted", "--tag-specifications", "ResourceType=volume,Tags=[{Key=team,Value=a}]")  # fmt: skip
    volume = made["VolumeId"]
    assert made["Encrypted"] is False and "KmsKeyId" not in cloud.volume_now(volume)
    aws("ec2", "attach-volume", "--volume-id", volume, "--instance-id", instance, "--device", "/dev/sdf")
    aws("ec2", "modify-volume", "--volume-id", volume, "--size", "20", "--iops", "4000", "--throughput", "250")
    found = aws("ec2", "describe-volumes-modifications", "--volume-ids", volume)["VolumesModifications"][0]
    assert (found["ModificationState"], found["TargetSize"]) == ("completed", 20)
    aws("ec2", "detach-volume", "--volume-id", volume)
    tags = "ResourceType=snapshot,Tags=[{Key=team,Value=a}]"
    snapshot = aws("ec2", "create-snapshot", "--volume-id", volume, "--description", "x", "--tag-specifications", tags)
    by_tag = ("ec2", "describe-snapshots", "--owner-ids", "self", "--filters", "Name=tag:team,Values=a")
    assert [each["SnapshotId"] for each in aws(*by_tag)["Snapshots"]] == [snapshot["SnapshotId"]]
    aws("ec2", "wait", "snapshot-completed", "--snapshot-ids", snapshot["SnapshotId"])
    aws("ec2", "delete-snapshot", "--snapshot-id", snapshot["SnapshotId"])
    assert aws(*by_tag)["Snapshots"] == []
    aws("ec2", "delete-volume", "--volume-id", volume)
    assert volume not in [each["VolumeId"] for each in cloud.ec2.describe_volumes()["Volumes"]]


def test_keys_are_made_named_and_tagged(cloud, aws):
    key = aws("kms", "create-key", "--tags", "TagKey=team,TagValue=a")["KeyMetadata"]["KeyId"]
    assert aws("kms", "list-aliases", "--key-id", key)["Aliases"] == []
    aws("kms", "create-alias", "--alias-name", "alias/by-hand", "--target-key-id", key)
    aws("kms", "tag-resource", "--key-id", key, "--tags", "TagKey=by,TagValue=hand")
    aws("kms", "untag-resource", "--key-id", key, "--tag-keys", "team")
    assert aws("kms", "describe-key", "--key-id", "alias/by-hand")["KeyMetadata"]["KeyId"] == key
    assert aws("kms", "list-resource-tags", "--key-id", key)["Tags"] == [{"TagKey": "by", "TagValue": "hand"}]
    assert [each["KeyId"] for each in aws("kms", "list-keys")["Keys"]] == [key]


def test_a_listing_that_is_cut_is_cut_for_the_cli_too(cloud, aws):
    volumes = [cloud.volume() for _ in range(3)]
    cloud.post("settings", {"page_size": 2})
    assert len(aws("ec2", "describe-volumes")["Volumes"]) == 3
    cloud.post("rules", [{"action": "DescribeVolumes", "do": "cut"}])
    assert [each["VolumeId"] for each in aws("ec2", "describe-volumes")["Volumes"]] == volumes[:2]
