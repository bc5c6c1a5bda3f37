"""Faults on demand: what the caller sees, what has happened, what the ledger says."""

import subprocess

import pytest
import requests

INSERT = {"service": "compute", "action": "instances.insert"}


def rule(cloud, do: str, **more) -> None:
    cloud.post("rules", [{**INSERT, "do": do, **more}])


def is_there(cloud) -> bool:
    return bool(cloud.get("state")["zones"])


@pytest.mark.parametrize(
    ("do", "code", "http", "happened"),
    [
        ("throttle", "rateLimitExceeded", 403, False),
        ("unavailable", "backendError", 503, False),
        ("internal", "internalError", 500, True),
    ],
)
def test_refusals_of_compute(cloud, refused, do, code, http, happened):
    rule(cloud, do, nth=1)
    with refused(code, http):
        cloud.insert()
    assert is_there(cloud) == happened
    call = cloud.get("calls")["calls"][-1]
    assert (call["status"], call["code"], call["fault"]) == (http, code, do)


def test_a_throttled_call_says_so_in_both_ways(cloud):
    rule(cloud, "throttle")
    answer = requests.post(
        f"{cloud.url}/compute/v1/projects/emulated-project/zones/us-central1-a/instances",
        json=cloud.machine(),
        headers={"Authorization": "Bearer t"},
        timeout=10,
    )
    error = answer.json()["error"]
    assert error["status"] == "PERMISSION_DENIED" and error["details"][0]["reason"] == "RATE_LIMIT_EXCEEDED"
    assert error["errors"][0]["domain"] == "usageLimits"


@pytest.mark.parametrize(
    ("do", "code", "http"),
    [("throttle", "RESOURCE_EXHAUSTED", 429), ("unavailable", "UNAVAILABLE", 503), ("internal", "INTERNAL", 500)],
)
def test_refusals_of_kms(cloud, refused, do, code, http):
    cloud.post("rules", [{"service": "cloudkms", "action": "keyRings.create", "nth": 1, "do": do}])
    path = "projects/emulated-project/locations/us-central1/keyRings"
    with refused(code, http):
        cloud.kms("POST", path, {}, keyRingId="r")
    assert bool(cloud.get("state")["rings"]) == (do == "internal")


@pytest.mark.parametrize(("do", "happened"), [("drop_reply", True), ("drop_request", False)])
def test_a_lost_reply_and_a_lost_request(cloud, do, happened):
    rule(cloud, do, nth=1)
    with pytest.raises(requests.ConnectionError):
        cloud.insert()
    assert is_there(cloud) == happened
    call = cloud.get("calls")["calls"][-1]
    assert (call["status"], call["fault"]) == (None, do)


@pytest.mark.parametrize(("do", "happened"), [("kill_before", False), ("kill_after", True)])
def test_a_process_is_killed(cloud, do, happened):
    victim = subprocess.Popen(["sleep", "60"])
    rule(cloud, do, nth=1, pid=victim.pid)
    with pytest.raises(requests.ConnectionError):
        cloud.insert()
    assert victim.wait(10) == -9
    assert is_there(cloud) == happened


def test_no_room_for_one_call(cloud):
    rule(cloud, "no_capacity", nth=1)
    assert cloud.ended(cloud.insert()) == "ZONE_RESOURCE_POOL_EXHAUSTED"
    cloud.running()
    cloud.do("stop")
    cloud.settled()
    cloud.post("rules", [{"action": "instances.start", "do": "no_capacity", "times": 1}])
    assert cloud.ended(cloud.do("start")) == "ZONE_RESOURCE_POOL_EXHAUSTED"
    assert cloud.instance()["status"] == "TERMINATED"
    assert cloud.ended(cloud.do("start")) is None


def test_any_error_and_a_delay(cloud, refused):
    rule(cloud, "error", code="quotaExceeded", status=403, message="no more", times=1)
    with refused("quotaExceeded", 403, "no more"):
        cloud.insert()
    rule(cloud, "delay", secs=0.05)
    cloud.insert()
    assert cloud.get("calls")["calls"][-1]["fault"] == "delay"


def test_the_nth_call_of_a_region(cloud, refused):
    rule(cloud, "throttle", nth=2, region="us-central1")
    cloud.insert("a")
    cloud.insert("b", "europe-west4-a")
    with refused("rateLimitExceeded", 403):
        cloud.insert("c")
    cloud.insert("c")
    assert cloud.get("rules")[0]["fired"] == 1 and cloud.get("rules")[0]["matched"] == 3
