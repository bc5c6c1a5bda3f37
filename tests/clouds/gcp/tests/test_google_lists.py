"""Lists, faults and the process."""

import http.client
import shutil
import socket
import subprocess
import time

import pytest

COMPUTE = "/compute/v1/projects/emulated-project/zones/us-central1-a"


@pytest.mark.parametrize(
    "filter,found",
    [
        ("name%20%3D%20one", ["one"]),
        ("(name%3Done)%20OR%20(name%3Dtwo)", ["one", "two"]),
        ("name%20eq%20%22t.*%22", ["three", "two"]),
        ("labels.team%20%3D%20red%20name%20!%3D%20one", ["three", "two"]),
        ("labels.team%20%3D%20blue", []),
        ("NOT%20name%3Done", ["three", "two"]),
    ],
)
def test_filters_choose(cloud, filter, found):
    for name in ("one", "two", "three"):
        cloud.insert(cloud.body(name))
    assert [item["name"] for item in cloud.list("instances", f"filter={filter}")] == found


def test_filters_of_unknown_fields_are_refused(cloud, refused):
    assert refused(cloud.list, "instances", "filter=colour%3Dred").status == 400
    assert refused(cloud.list, "instances", "filter=name%3D").status == 400


def test_pages_go_to_the_end(cloud):
    for name in ("one", "two", "three"):
        cloud.insert(cloud.body(name))
    cloud.settings(page_size=2)
    first = cloud.ask("GET", f"{COMPUTE}/instances")
    second = cloud.ask("GET", f"{COMPUTE}/instances?pageToken={first['nextPageToken']}")
    assert [len(first["items"]), len(second["items"]), "nextPageToken" in second] == [2, 1, False]


def test_an_aggregated_list_has_every_zone(cloud):
    cloud.insert()
    scopes = cloud.ask("GET", "/compute/v1/projects/emulated-project/aggregated/instances")["items"]
    assert len(scopes["zones/us-central1-a"]["instances"]) == 1
    assert scopes["zones/europe-west3-a"]["warning"]["code"] == "NO_RESULTS_ON_PAGE"


def test_new_things_may_be_hidden_and_lists_stale(cloud, refused):
    cloud.settings(visibility_lag=10)
    cloud.insert()
    assert cloud.list("instances") == []
    assert refused(cloud.ask, "GET", f"{COMPUTE}/instances/builder").status == 404
    cloud.advance(11)
    assert len(cloud.list("instances")) == 1
    cloud.settings(visibility_lag=0, stale=5)
    cloud.advance()
    cloud.ask("DELETE", f"{COMPUTE}/instances/builder")
    cloud.advance(70)
    cloud.settings(stale=3)
    assert cloud.list("instances") == []
    cloud.settings(stale=75)
    assert len(cloud.list("instances")) == 1


@pytest.mark.parametrize("do,status,made", [("throttle", 403, 0), ("unavailable", 503, 0), ("internal", 500, 1)])
def test_faults_are_told_as_google_tells_them(cloud, refused, do, status, made):
    cloud.control("POST", "rules", [{"action": "instances.insert", "nth": 1, "do": do}])
    assert refused(cloud.insert).status == status
    assert len(cloud.list("instances")) == made
    assert cloud.control("GET", "calls")["counts"]["compute.instances.insert"] == 1


@pytest.mark.parametrize("do,made", [("drop_reply", 1), ("drop_request", 0)])
def test_replies_and_requests_are_lost(cloud, do, made):
    cloud.control("POST", "rules", [{"action": "instances.insert", "nth": 1, "do": do}])
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        cloud.insert()
    assert len(cloud.list("instances")) == made


def test_no_capacity_is_a_rule_for_one_call(cloud):
    cloud.control("POST", "rules", [{"action": "instances.insert", "nth": 1, "do": "no_capacity"}])
    first, second = cloud.insert(), cloud.insert(cloud.body("second"))
    cloud.advance()
    assert "error" in cloud.operation(first) and "error" not in cloud.operation(second)


@pytest.mark.parametrize("do", ["kill_before", "kill_after"])
def test_a_client_is_killed(cloud, do):
    victim = subprocess.Popen(["sleep", "60"])
    cloud.control("POST", "rules", [{"action": "instances.insert", "nth": 1, "do": do, "pid": victim.pid}])
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        cloud.insert()
    assert victim.wait(10) == -9
    assert len(cloud.list("instances")) == (1 if do == "kill_after" else 0)


def test_a_delay_delays(cloud):
    cloud.control("POST", "rules", [{"action": "instances.list", "do": "delay", "secs": 0.2}])
    begun = time.monotonic()
    cloud.list("instances")
    assert time.monotonic() - begun >= 0.2


def test_a_rule_or_setting_that_is_not_known_is_refused(cloud, refused):
    assert refused(cloud.control, "POST", "rules", [{"do": "dance"}]).status == 400
    assert refused(cloud.control, "POST", "settings", {"colour": 1}).status == 400
    assert refused(cloud.control, "POST", "settings", {"key_check": "never"}).status == 400
    assert refused(cloud.control, "GET", "nonsense").status == 404


def test_it_listens_on_loopback_only(process):
    port = int(process.rpartition(":")[2])
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    listening = [row[1] for row in rows if row[3] == "0A"]
    assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    assert socket.inet_ntoa(bytes.fromhex("7F000001")) == "127.0.0.1"


@pytest.mark.skipif(not shutil.which("gcloud"), reason="there is no gcloud on this machine")
def test_gcloud_makes_lists_and_deletes(cloud, process, tmp_path):
    import json
    import os

    environment = {
        **os.environ,
        "CLOUDSDK_CONFIG": str(tmp_path),
        "CLOUDSDK_AUTH_ACCESS_TOKEN": "emulated",
        "CLOUDSDK_CORE_PROJECT": "emulated-project",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": f"{process}/compute/v1/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS": f"{process}/",
    }

    def gcloud(*arguments):
        command = ["gcloud", *arguments, "--format", "json", "--quiet"]
        return json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)

    cloud.settings(settle=0)
    cloud.insert()
    assert [item["name"] for item in gcloud("compute", "instances", "list")] == ["builder"]
    shown = gcloud("compute", "instances", "describe", "builder", "--zone", "us-central1-a")
    assert shown["status"] == "RUNNING"
    assert {item["name"] for item in gcloud("compute", "disks", "list")} == {"builder-cache", "builder-root"}
    gcloud("compute", "instances", "stop", "builder", "--zone", "us-central1-a")
    assert cloud.list("instances")[0]["status"] == "TERMINATED"
    gcloud("compute", "instances", "delete", "builder", "--zone", "us-central1-a")
    assert cloud.list("instances") == []
    name = cloud.key()
    assert [key["name"] for key in gcloud("kms", "keys", "list", "--location", "us-central1", "--keyring", "ring")] == [name]
