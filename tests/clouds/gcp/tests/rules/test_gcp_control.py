"""The control API, the metadata server, the batch endpoint."""

import pytest
import requests


def test_health_and_what_a_region_has(cloud, refused):
    assert cloud.get("healthz") == {"ok": True}
    region = cloud.get("regions/us-central1")
    assert region["project"] == "emulated-project" and region["project_number"] == "123456789012"
    assert region["zones"] == ["us-central1-a", "us-central1-b", "us-central1-c", "us-central1-f"]
    assert region["service_account"] == "123456789012-compute@developer.gserviceaccount.com"
    assert set(region["images"]) == set(region["families"]) == {"x86_64", "arm64"}
    assert region["network"].endswith("/networks/default") and region["subnetwork"] == "default"
    assert cloud.control("GET", "regions/mars").status_code == 404


def test_every_call_is_counted_and_nothing_else(cloud, token):
    cloud.insert(requestId=token)
    cloud.key()
    calls = cloud.get("calls")
    first = calls["calls"][0]
    assert (first["service"], first["action"], first["region"], first["token"], first["status"]) == (
        "compute",
        "instances.insert",
        "us-central1",
        token,
        200,
    )
    assert calls["counts"]["compute.instances.insert"] == 1 and calls["counts"]["cloudkms.cryptoKeys.create"] == 1
    assert calls["total"] == sum(calls["counts"].values())
    requests.get(f"{cloud.url}/computeMetadata/v1/instance/service-accounts/default/token", timeout=5)
    assert cloud.get("calls")["total"] == calls["total"]
    cloud.post("reset-calls")
    assert cloud.get("calls") == {"calls": [], "counts": {}, "total": 0}


def test_a_refusal_is_counted_with_its_code(cloud, refused):
    with refused("notFound", 404):
        cloud.instance()
    with refused("invalid", 400):
        cloud.compute("GET", "zones/us-central1-a/instances", colour="red")
    assert [(call["status"], call["code"]) for call in cloud.get("calls")["calls"]] == [
        (404, "notFound"),
        (400, "invalid"),
    ]


def test_the_state(cloud):
    key = cloud.key()
    cloud.insert()
    state = cloud.get("state")
    here = state["regions"]["us-central1"]
    assert here["instances"][0]["name"] == "m" and here["disks"][0]["name"] == "m" and here["keys"][0]["name"] == key
    assert state["zones"]["us-central1-a"]["instances"] == here["instances"] and state["keys"] == here["keys"]
    assert state["keys"][0]["versions"][0]["state"] == "ENABLED" and state["keys"][0]["policy"]
    assert state["rings"] == [key.partition("/cryptoKeys/")[0]]


def test_reset(cloud):
    cloud.running()
    cloud.key()
    cloud.post("settings", {"page_size": 3})
    cloud.post("capacity", [{}])
    cloud.post("rules", [{"do": "throttle"}])
    cloud.post("reset", {"keep_settings": True})
    assert cloud.get("state") == {"regions": {}, "zones": {}, "snapshots": [], "keys": [], "rings": []}
    assert cloud.get("calls")["total"] == 0 and cloud.get("rules") == [] and cloud.get("capacity") == []
    assert cloud.get("settings")["page_size"] == 3
    cloud.post("reset", {})
    assert cloud.get("settings")["page_size"] is None


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("settings", {"colour": 1}),
        ("settings", {"settle": -1}),
        ("settings", {"settle": True}),
        ("settings", {"page_size": 0}),
        ("settings", {"key_check": "never"}),
        ("settings", {"quota_sync": "yes"}),
        ("settings", []),
        ("rules", [{"do": "dance"}]),
        ("rules", [{"do": "throttle", "colour": 1}]),
        ("rules", [{"do": "error"}]),
        ("rules", {}),
        ("capacity", [{"colour": 1}]),
        ("advance", {"secs": -1}),
        ("advance", {}),
        ("deny-key", {}),
        ("project-policy", {"bindings": [{"role": "owner"}]}),
        ("project-policy", {}),
    ],
)
def test_a_mistake_is_a_400(cloud, path, body):
    answer = cloud.control("POST", path, body)
    assert answer.status_code == 400 and answer.json()["error"]
    assert cloud.get("settings")["settle"] == 60


def test_an_unknown_path(cloud):
    assert cloud.control("GET", "nonsense").status_code == 404


def test_the_metadata_server(cloud):
    url = f"{cloud.url}/computeMetadata/v1/instance/service-accounts/default/token"
    assert requests.get(url, timeout=5).status_code == 403
    answer = requests.get(url, headers={"Metadata-Flavor": "Google"}, timeout=5)
    assert answer.json() == {"access_token": "emulated", "expires_in": 3600, "token_type": "Bearer"}
    assert answer.headers["Metadata-Flavor"] == "Google"
    assert (
        requests.get(cloud.url, headers={"Metadata-Flavor": "Google"}, timeout=5).headers["Metadata-Flavor"] == "Google"
    )


def test_a_batch_is_so_many_calls(cloud):
    cloud.insert()
    cloud.post("reset-calls")
    base = "/compute/v1/projects/emulated-project/zones/us-central1-a"
    parts = [f"GET {base}/instances/m HTTP/1.1", f"GET {base}/instances/none HTTP/1.1"]
    body = "".join(
        f"--x\r\nContent-Type: application/http\r\nContent-ID: <part+{n}>\r\n\r\n{part}\r\nAccept: application/json\r\n\r\n\r\n"
        for n, part in enumerate(parts)
    )
    headers = {"Content-Type": 'multipart/mixed; boundary="x"', "Authorization": "Bearer t"}
    answer = requests.post(f"{cloud.url}/batch/compute/v1", data=f"{body}--x--", headers=headers, timeout=5)
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("multipart/mixed")
    assert "HTTP/1.1 200" in answer.text and "HTTP/1.1 404" in answer.text and "<response-part+1>" in answer.text
    assert cloud.get("calls")["counts"] == {"compute.instances.get": 2}
