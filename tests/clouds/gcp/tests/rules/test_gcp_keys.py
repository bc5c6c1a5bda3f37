"""What Compute Engine demands of a key: place, state, permission."""

import pytest


def wanted(cloud, key: str, zone: str = "us-central1-a") -> dict:
    boot = cloud.newborn(zone, boot=True, autoDelete=True, key=key, sourceImage=cloud.image("arm64"))
    return {"disks": [boot, cloud.newborn(zone, key=key, diskName="cache")]}


def test_a_disk_is_encrypted_with_the_primary_version(cloud):
    key = cloud.key()
    shown = cloud.running(**wanted(cloud, key))
    for disk in [*shown["disks"], cloud.disk("m"), cloud.disk("cache")]:
        assert disk["diskEncryptionKey"] == {"kmsKeyName": f"{key}/cryptoKeyVersions/1"}


def test_a_disk_keeps_the_version_that_it_was_made_with(cloud):
    key = cloud.key()
    cloud.running(**wanted(cloud, key))
    cloud.kms("POST", f"{key}/cryptoKeyVersions", {})
    cloud.kms("POST", f"{key}:updatePrimaryVersion", {"cryptoKeyVersionId": "2"})
    assert cloud.disk("cache")["diskEncryptionKey"]["kmsKeyName"].endswith("/1")
    cloud.running("n", disks=[cloud.newborn(boot=True, key=key, sourceImage=cloud.image("arm64"))])
    assert cloud.disk("n")["diskEncryptionKey"]["kmsKeyName"].endswith("/2")
    cloud.kms("PATCH", f"{key}/cryptoKeyVersions/2", {"state": "DISABLED"}, updateMask="state")
    cloud.do("stop")
    cloud.settled()
    assert cloud.ended(cloud.do("start")) is None


@pytest.mark.parametrize("location", ["global", "us"])
def test_a_key_of_a_place_that_holds_the_region(cloud, location):
    cloud.running(**wanted(cloud, cloud.key(location)))


def _bad(cloud, how: str) -> tuple[str, str]:
    if how in ("europe", "us-east1", "europe-west4"):
        return cloud.key(how), "can't be used in region"
    if how == "missing":
        return cloud.key()[:-1] + "x", "not found"
    if how == "malformed":
        return "keys/k", "not the name of a key"
    if how == "no primary":
        name = f"{cloud.key().rpartition('/cryptoKeys/')[0]}"
        cloud.kms(
            "POST",
            f"{name}/cryptoKeys",
            {"purpose": "ENCRYPT_DECRYPT"},
            cryptoKeyId="e",
            skipInitialVersionCreation="true",
        )
        cloud.grant(f"{name}/cryptoKeys/e")
        return f"{name}/cryptoKeys/e", "not enabled"
    key = cloud.key(grant=how != "no binding")
    if how == "disabled":
        cloud.kms("PATCH", f"{key}/cryptoKeyVersions/1", {"state": "DISABLED"}, updateMask="state")
        return key, "current state is: DISABLED"
    if how == "destroyed":
        cloud.kms("POST", f"{key}/cryptoKeyVersions/1:destroy", {})
        return key, "current state is: DESTROY_SCHEDULED"
    if how == "denied":
        cloud.post("deny-key", {"key": key})
    if how == "another's binding":
        cloud.grant(key, ["user:a@example.com"])
    return key, "useToEncrypt"


HOWS = [
    "europe",
    "us-east1",
    "europe-west4",
    "missing",
    "malformed",
    "no primary",
    "no binding",
    "disabled",
    "destroyed",
    "denied",
    "another's binding",
]


@pytest.mark.parametrize("how", HOWS)
def test_a_bad_key_is_refused_at_once(cloud, refused, how):
    key, word = _bad(cloud, how)
    with refused("badRequest", 400, word):
        cloud.insert(**wanted(cloud, key))
    with refused("badRequest", 400, word):
        cloud.new_disk(diskEncryptionKey={"kmsKeyName": key})
    assert cloud.get("state")["zones"] == {}


@pytest.mark.parametrize("how", ["europe-west4", "disabled", "no binding"])
def test_or_the_operation_ends_with_it(cloud, how):
    cloud.post("settings", {"key_check": "async"})
    key, word = _bad(cloud, how)
    operation = cloud.insert(**wanted(cloud, key))
    assert cloud.ended(operation) == "RESOURCE_OPERATION_ERROR"
    assert word in cloud.operation(operation)["error"]["errors"][0]["message"]
    body = {"name": "d", "diskEncryptionKey": {"kmsKeyName": key}}
    assert cloud.ended(cloud.compute("POST", "zones/us-central1-a/disks", body)) == "RESOURCE_OPERATION_ERROR"
    assert cloud.get("state")["zones"] == {}


@pytest.mark.parametrize("check", ["sync", "async"])
def test_a_start_needs_the_keys_of_all_disks(cloud, refused, check):
    key = cloud.key()
    cloud.running(**wanted(cloud, key))
    cloud.do("stop")
    cloud.settled()
    cloud.post("settings", {"key_check": check})
    cloud.kms("PATCH", f"{key}/cryptoKeyVersions/1", {"state": "DISABLED"}, updateMask="state")
    if check == "sync":
        with refused("badRequest", 400, "DISABLED"):
            cloud.do("start")
    else:
        assert cloud.ended(cloud.do("start")) == "RESOURCE_OPERATION_ERROR"
    assert cloud.instance()["status"] == "TERMINATED"
    cloud.kms("PATCH", f"{key}/cryptoKeyVersions/1", {"state": "ENABLED"}, updateMask="state")
    assert cloud.ended(cloud.do("start")) is None
    assert cloud.instance()["status"] == "RUNNING"


def test_an_attached_disk_needs_its_key(cloud, refused):
    key = cloud.key()
    cloud.running()
    cloud.new_disk(diskEncryptionKey={"kmsKeyName": key})
    cloud.post("deny-key", {"key": key})
    with refused("badRequest", 400, "useToEncrypt"):
        cloud.do("attachDisk", body={"source": "zones/us-central1-a/disks/d"})
    with refused("badRequest", 400, "useToEncrypt"):
        disks = [cloud.newborn(boot=True, sourceImage=cloud.image("arm64")), {"source": "zones/us-central1-a/disks/d"}]
        cloud.insert("n", disks=disks)
    cloud.post("deny-key", {"key": key, "deny": False})
    cloud.do("attachDisk", body={"source": "zones/us-central1-a/disks/d"})


def test_the_binding_may_be_on_the_ring_or_the_project(cloud, refused):
    key = cloud.key(grant=False)
    with refused("badRequest", 400, "useToEncrypt"):
        cloud.insert(**wanted(cloud, key))
    cloud.grant(key.partition("/cryptoKeys/")[0])
    cloud.running(**wanted(cloud, key))
    other = cloud.key("us-central1", "other", grant=False)
    ring = key.partition("/cryptoKeys/")[0]
    cloud.kms("POST", f"{ring}:setIamPolicy", {"policy": {"bindings": []}})
    binding = {
        "role": "roles/cloudkms.cryptoKeyEncrypterDecrypter",
        "members": [cloud.get("regions/us-central1")["service_agent"]],
    }
    cloud.post("project-policy", {"bindings": [binding]})
    assert cloud.get("project-policy") == {"bindings": [binding]}
    cloud.running("n", disks=[cloud.newborn(boot=True, key=other, sourceImage=cloud.image("arm64"))])


def test_a_denial_does_not_show_in_the_policy(cloud):
    key = cloud.key()
    before = cloud.kms("GET", f"{key}:getIamPolicy")
    cloud.post("deny-key", {"key": key, "deny": True})
    assert cloud.kms("GET", f"{key}:getIamPolicy") == before
