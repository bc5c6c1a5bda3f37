"""The rules: which call they hit, what they do to it, and what they leave behind."""

import subprocess
import time

import pytest
from botocore.exceptions import ConnectionClosedError
from botocore.exceptions import ConnectionError as NoConnection


def instances(cloud):
    return cloud.get("state")["regions"].get("us-east-1", {"instances": []})["instances"]


def rule(cloud, do, **more):
    cloud.post("rules", [{"service": "ec2", "action": "RunInstances", "do": do, **more}])


def last_call(cloud):
    return cloud.get("calls")["calls"][-1]


def test_a_reply_can_be_dropped_after_the_effect(cloud):
    rule(cloud, "drop_reply", nth=1)
    with pytest.raises((ConnectionClosedError, NoConnection)):
        cloud.launch(ClientToken="t")
    assert [each["token"] for each in instances(cloud)] == ["t"]
    call = last_call(cloud)
    assert (call["status"], call["fault"], call["token"]) == (None, "drop_reply", "t")
    assert cloud.launch(ClientToken="t")["InstanceId"] == instances(cloud)[0]["id"]


def test_a_request_can_be_dropped_before_the_effect(cloud):
    rule(cloud, "drop_request", nth=1)
    with pytest.raises((ConnectionClosedError, NoConnection)):
        cloud.launch()
    assert instances(cloud) == []


def test_throttling_has_the_service_s_own_code(cloud, refused):
    cloud.post("rules", [{"do": "throttle"}])
    with refused("RequestLimitExceeded", 503):
        cloud.launch()
    with refused("ThrottlingException", 400):
        cloud.kms.list_keys()
    assert instances(cloud) == []


@pytest.mark.parametrize(
    ("do", "code", "status", "left"),
    [("unavailable", "Unavailable", 503, 0), ("internal", "InternalError", 500, 1),
     ("no_capacity", "InsufficientInstanceCapacity", 500, 0)],
)  # fmt: skip
def test_server_errors(cloud, refused, do, code, status, left):
    rule(cloud, do)
    with refused(code, status):
        cloud.launch()
    assert len(instances(cloud)) == left
    call = last_call(cloud)
    assert (call["status"], call["code"], call["fault"]) == (status, code, do)


def test_server_errors_of_kms(cloud, refused):
    cloud.post("rules", [{"service": "kms", "do": "internal"}])
    with refused("KMSInternalException", 500):
        cloud.kms.create_key()
    assert len(cloud.get("state")["regions"]["us-east-1"]["keys"]) == 1


def test_any_error_can_be_told(cloud, refused):
    rule(cloud, "error", code="UnauthorizedOperation", status=403, message="no")
    with refused("UnauthorizedOperation", 403):
        cloud.launch()
    assert instances(cloud) == []


def test_a_delay_comes_before_the_effect(cloud):
    rule(cloud, "delay", secs=0.3)
    start = time.monotonic()
    cloud.launch()
    assert time.monotonic() - start >= 0.3
    assert last_call(cloud)["fault"] == "delay"


@pytest.mark.parametrize(("do", "left"), [("kill_before", 0), ("kill_after", 1)])
def test_a_process_can_be_killed_around_the_effect(cloud, do, left):
    victim = subprocess.Popen(["sleep", "60"])
    rule(cloud, do, pid=victim.pid)
    with pytest.raises((ConnectionClosedError, NoConnection)):
        cloud.launch()
    assert victim.wait(10) == -9
    assert len(instances(cloud)) == left


def test_a_rule_hits_the_nth_call_that_matches(cloud, refused):
    rule(cloud, "throttle", nth=2)
    cloud.launch()
    cloud.ec2.describe_instances()
    with refused("RequestLimitExceeded", 503):
        cloud.launch()
    cloud.launch()
    shown = cloud.get("rules")[0]
    assert (shown["matched"], shown["fired"]) == (3, 1)


def test_a_rule_hits_so_many_times(cloud, refused):
    rule(cloud, "throttle", times=2)
    for _ in range(2):
        with refused("RequestLimitExceeded", 503):
            cloud.launch()
    cloud.launch()


def test_a_rule_is_for_its_region_service_and_action(cloud, refused):
    cloud.post("rules", [{"region": "eu-central-1", "do": "throttle"}, {"action": "ListKeys", "do": "throttle"}])
    cloud.launch()
    with refused("RequestLimitExceeded", 503):
        cloud.launch("eu-central-1")
    with refused("ThrottlingException"):
        cloud.kms.list_keys()
    cloud.kms.list_aliases()


def test_new_rules_replace_the_old_ones(cloud):
    rule(cloud, "throttle")
    cloud.post("rules", [])
    cloud.launch()


def test_calls_to_moto_can_be_hit_too(cloud, refused):
    cloud.post("rules", [{"action": "DescribeSubnets", "do": "throttle", "nth": 1}])
    with refused("RequestLimitExceeded", 503):
        cloud.ec2.describe_subnets()
    assert cloud.ec2.describe_subnets()["Subnets"]
