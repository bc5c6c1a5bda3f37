"""Session Manager: one caller, one tag; and what ends a session."""

import boto3
import pytest
from botocore.config import Config

ANN, BOB = ("arn:aws:iam::123456789012:role/ann", "AKIDANN"), ("arn:aws:iam::123456789012:role/bob", "AKIDBOB")


@pytest.fixture
def people(cloud):
    cloud.post("principals", {key: arn for arn, key in (ANN, BOB)})

    def client(who):
        once = Config(retries={"total_max_attempts": 1})
        return boto3.client(
            "ssm", "us-east-1", endpoint_url=cloud.url, config=once, aws_access_key_id=who[1], aws_secret_access_key="x"
        )

    return client


@pytest.fixture
def instance(cloud):
    instance_id = cloud.launch()["InstanceId"]
    cloud.post("advance", {"secs": 300})
    return instance_id


def let_in(cloud, instance, who):
    cloud.ec2.create_tags(Resources=[instance], Tags=[{"Key": "provisioner:access", "Value": who[0]}])


def active(cloud, instance):
    ask = {"State": "Active", "Filters": [{"key": "Target", "value": instance}]}
    return [s["SessionId"] for page in cloud.client("ssm").get_paginator("describe_sessions").paginate(**ask) for s in page["Sessions"]]


def test_only_whom_the_tag_names_comes_in(cloud, instance, people, refused):
    with refused("AccessDeniedException"):
        people(ANN).start_session(Target=instance)
    let_in(cloud, instance, ANN)
    session = people(ANN).start_session(Target=instance, Reason="grant 1")["SessionId"]
    assert session.startswith("ann-") and active(cloud, instance) == [session]
    with refused("AccessDeniedException"):
        people(BOB).start_session(Target=instance)
    with refused("AccessDeniedException"):
        cloud.client("ssm").start_session(Target=instance)


def test_a_session_outlives_its_tag_and_ends_when_told_to(cloud, instance, people, refused):
    let_in(cloud, instance, ANN)
    session = people(ANN).start_session(Target=instance)["SessionId"]
    cloud.ec2.delete_tags(Resources=[instance], Tags=[{"Key": "provisioner:access", "Value": ANN[0]}])
    assert active(cloud, instance) == [session]
    with refused("AccessDeniedException"):
        people(ANN).start_session(Target=instance)
    ssm = cloud.client("ssm")
    assert ssm.terminate_session(SessionId=session)["SessionId"] == session
    assert active(cloud, instance) == []
    assert [s["Status"] for s in ssm.describe_sessions(State="History")["Sessions"]] == ["Terminated"]
    with refused("DoesNotExistException"):
        ssm.terminate_session(SessionId="ann-0")


def test_a_session_ends_with_its_instance(cloud, instance, people, refused):
    let_in(cloud, instance, ANN)
    people(ANN).start_session(Target=instance)
    cloud.ec2.stop_instances(InstanceIds=[instance])
    cloud.post("advance", {"secs": 300})
    assert active(cloud, instance) == []
    with refused("TargetNotConnected"):
        people(ANN).start_session(Target=instance)


def test_listings_have_pages(cloud, instance, people):
    let_in(cloud, instance, ANN)
    all_of_them = {people(ANN).start_session(Target=instance)["SessionId"] for _ in range(5)}
    cloud.post("settings", {"page_size": 2})
    assert set(active(cloud, instance)) == all_of_them
