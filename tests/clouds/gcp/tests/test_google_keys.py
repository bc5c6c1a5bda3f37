"""Cloud KMS, and what Compute Engine makes of its keys."""

import pytest

COMPUTE = "/compute/v1/projects/emulated-project/zones/us-central1-a"
PARENT = "/v1/projects/emulated-project/locations/us-central1"


def test_rings_and_keys_are_made_once_and_never_deleted(cloud, refused):
    name = cloud.key()
    assert refused(cloud.ask, "POST", f"{PARENT}/keyRings?keyRingId=ring", {}).status == 409
    again = refused(cloud.ask, "POST", f"{PARENT}/keyRings/ring/cryptoKeys?cryptoKeyId=key", {"purpose": "ENCRYPT_DECRYPT"})
    assert (again.status, again.reason) == (409, "ALREADY_EXISTS")
    assert cloud.ask("GET", f"/v1/{name}")["primary"]["state"] == "ENABLED"
    assert refused(cloud.ask, "DELETE", f"{PARENT}/keyRings/ring").status in (404, 501)


def test_a_key_needs_a_ring_a_purpose_and_a_place(cloud, refused):
    missing = refused(cloud.ask, "POST", f"{PARENT}/keyRings/none/cryptoKeys?cryptoKeyId=key", {"purpose": "ENCRYPT_DECRYPT"})
    assert missing.status == 404
    cloud.key()
    assert refused(cloud.ask, "POST", f"{PARENT}/keyRings/ring/cryptoKeys?cryptoKeyId=other", {}).status == 400
    assert refused(cloud.ask, "POST", f"{PARENT}/keyRings?keyRingId=a.b", {}).status == 400
    assert refused(cloud.ask, "GET", "/v1/projects/emulated-project/locations/mars/keyRings").status == 400


@pytest.mark.parametrize(
    "body",
    [
        {"rotationPeriod": "7776000s"},
        {"nextRotationTime": "2040-01-01T00:00:00Z"},
        {"rotationPeriod": "3600s", "nextRotationTime": "2040-01-01T00:00:00Z"},
        {"rotationPeriod": "7776000s", "nextRotationTime": "2020-01-01T00:00:00Z"},
        {"destroyScheduledDuration": "60s"},
        {"labels": {"Team": "red"}},
    ],
)
def test_rotation_is_a_period_and_a_first_time(cloud, refused, body):
    cloud.key()
    wanted = {"purpose": "ENCRYPT_DECRYPT", **body}
    assert refused(cloud.ask, "POST", f"{PARENT}/keyRings/ring/cryptoKeys?cryptoKeyId=other", wanted).status == 400


def test_a_key_rotates_when_its_time_has_come(cloud):
    name = cloud.key()
    schedule = {"rotationPeriod": "86400s", "nextRotationTime": "2040-01-01T00:00:00Z"}
    cloud.ask("PATCH", f"/v1/{name}?updateMask=rotationPeriod,nextRotationTime", schedule)
    cloud.advance(20 * 365 * 86_400)
    assert cloud.ask("GET", f"/v1/{name}")["primary"]["name"].split("/")[-1] != "1"


def test_versions_are_destroyed_restored_disabled(cloud, refused):
    name = cloud.key()
    version = f"/v1/{name}/cryptoKeyVersions/1"
    assert cloud.ask("POST", f"{version}:destroy", {})["state"] == "DESTROY_SCHEDULED"
    assert refused(cloud.ask, "POST", f"{version}:destroy", {}).reason == "FAILED_PRECONDITION"
    assert refused(cloud.ask, "PATCH", f"{version}?updateMask=state", {"state": "ENABLED"}).reason == "FAILED_PRECONDITION"
    assert cloud.ask("POST", f"{version}:restore", {})["state"] == "DISABLED"
    assert cloud.ask("PATCH", f"{version}?updateMask=state", {"state": "ENABLED"})["state"] == "ENABLED"


def test_a_policy_is_set_against_its_etag(cloud, refused):
    name = cloud.key(grant=False)
    policy = cloud.ask("GET", f"/v1/{name}:getIamPolicy")
    policy["bindings"] = [{"role": "roles/viewer", "members": ["user:a@example.com"]}]
    cloud.ask("POST", f"/v1/{name}:setIamPolicy", {"policy": policy})
    refusal = refused(cloud.ask, "POST", f"/v1/{name}:setIamPolicy", {"policy": policy})
    assert (refusal.status, refusal.reason) == (409, "ABORTED")
    wrong = {"policy": {"bindings": [{"role": "roles/viewer", "members": ["nobody"]}]}}
    assert refused(cloud.ask, "POST", f"/v1/{name}:setIamPolicy", wrong).status == 400


def test_a_disk_is_encrypted_with_the_primary_version(cloud):
    name = cloud.key()
    cloud.insert(cloud.encrypted(name))
    cloud.advance()
    assert {disk["diskEncryptionKey"]["kmsKeyName"] for disk in cloud.list("disks")} == {f"{name}/cryptoKeyVersions/1"}


def bad_keys(cloud):
    """Keys that Compute Engine can't use, and a word of what it says of them."""
    disabled = cloud.key(name="disabled")
    cloud.ask("PATCH", f"/v1/{disabled}/cryptoKeyVersions/1?updateMask=state", {"state": "DISABLED"})
    denied = cloud.key(name="denied")
    cloud.control("POST", "deny-key", {"key": denied})
    return {
        disabled: "DISABLED",
        denied: "denied",
        cloud.key(grant=False, name="stranger"): "denied",
        cloud.key(location="europe-west3", name="foreign"): "europe-west3",
        disabled.replace("disabled", "none"): "not found",
    }


def test_a_bad_key_is_refused_at_once_or_by_the_operation(cloud, refused):
    for key, word in bad_keys(cloud).items():
        refusal = refused(cloud.insert, cloud.encrypted(key))
        assert (refusal.status, word in refusal.error["message"]) == (400, True), refusal
    cloud.settings(key_check="async")
    for key, word in bad_keys_again(cloud):
        operation = cloud.insert(cloud.encrypted(key))
        cloud.advance()
        assert word in cloud.operation(operation)["error"]["errors"][0]["message"]
        assert (cloud.list("instances"), cloud.list("disks")) == ([], [])


def bad_keys_again(cloud):
    base = "projects/emulated-project/locations/us-central1/keyRings/ring/cryptoKeys"
    return [(f"{base}/disabled", "DISABLED"), (f"{base}/denied", "denied"), (f"{base}/none", "not found")]


def test_a_machine_does_not_start_under_a_disabled_key(cloud, refused):
    name = cloud.key()
    cloud.insert(cloud.encrypted(name))
    cloud.advance()
    cloud.ask("POST", f"{COMPUTE}/instances/builder/stop")
    cloud.advance()
    cloud.ask("PATCH", f"/v1/{name}/cryptoKeyVersions/1?updateMask=state", {"state": "DISABLED"})
    assert refused(cloud.ask, "POST", f"{COMPUTE}/instances/builder/start").status == 400


def test_an_enum_may_come_as_its_number(cloud):
    cloud.key()
    made = cloud.ask("POST", f"{PARENT}/keyRings/ring/cryptoKeys?cryptoKeyId=number&$alt=json;enum-encoding=int", {"purpose": 1})
    assert made["purpose"] == "ENCRYPT_DECRYPT"
