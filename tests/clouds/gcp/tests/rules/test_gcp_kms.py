"""Cloud KMS: rings, keys, versions, policies, lists."""

import datetime

import pytest

HERE = "projects/emulated-project/locations/us-central1"
RING = f"{HERE}/keyRings/r"
DAY = 86_400


def later(secs: float) -> str:
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=secs)).isoformat()


def make(cloud, name: str = "k", **body) -> dict:
    return cloud.kms("GET", cloud.key(name=name, grant=False, **body))


def test_a_ring_is_made_once(cloud, refused):
    assert cloud.kms("POST", f"{HERE}/keyRings", {}, keyRingId="r")["name"] == RING
    with refused("ALREADY_EXISTS", 409):
        cloud.kms("POST", f"{HERE}/keyRings", {}, keyRingId="r")
    with refused("NOT_FOUND", 404):
        cloud.kms("GET", f"{HERE}/keyRings/none")
    for bad in ("", "a.b", "x" * 64):
        with refused("INVALID_ARGUMENT", 400):
            cloud.kms("POST", f"{HERE}/keyRings", {}, keyRingId=bad)


def test_a_location_is_real(cloud, refused):
    for place in ("us-central1", "europe-west3", "us", "europe", "global"):
        assert cloud.kms("GET", f"projects/emulated-project/locations/{place}/keyRings")["totalSize"] == 0
    with refused("INVALID_ARGUMENT", 400):
        cloud.kms("GET", "projects/emulated-project/locations/mars/keyRings")


def test_a_key_is_made_once_with_a_primary_version(cloud, refused):
    key = make(cloud, labels={"a": "b"})
    assert key["primary"]["name"] == f"{key['name']}/cryptoKeyVersions/1" and key["primary"]["state"] == "ENABLED"
    assert key["labels"] == {"a": "b"} and key["destroyScheduledDuration"] == "2592000s"
    assert key["versionTemplate"] == {"protectionLevel": "SOFTWARE", "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION"}
    with refused("ALREADY_EXISTS", 409):
        make(cloud)
    with refused("NOT_FOUND", 404):
        cloud.kms("POST", f"{HERE}/keyRings/none/cryptoKeys", {"purpose": "ENCRYPT_DECRYPT"}, cryptoKeyId="k")


def test_a_key_without_a_version_has_no_primary_one(cloud):
    make(cloud, "other")
    query = {"cryptoKeyId": "k", "skipInitialVersionCreation": "true"}
    key = cloud.kms("POST", f"{RING}/cryptoKeys", {"purpose": "ENCRYPT_DECRYPT"}, **query)
    assert "primary" not in key
    cloud.kms("POST", f"{RING}/cryptoKeys/k/cryptoKeyVersions", {})
    assert "primary" not in cloud.kms("GET", f"{RING}/cryptoKeys/k")


@pytest.mark.parametrize(
    "body",
    [
        {"purpose": None},
        {"purpose": "CRYPTO_KEY_PURPOSE_UNSPECIFIED"},
        {"purpose": "NONSENSE"},
        {"colour": "red"},
        {"rotationPeriod": "86400s"},
        {"nextRotationTime": "2099-01-01T00:00:00Z"},
        {"rotationPeriod": "86399s", "nextRotationTime": "2099-01-01T00:00:00Z"},
        {"rotationPeriod": "86400s", "nextRotationTime": "2020-01-01T00:00:00Z"},
        {"rotationPeriod": "a day", "nextRotationTime": "2099-01-01T00:00:00Z"},
        {"rotationPeriod": "86400s", "nextRotationTime": "tomorrow"},
        {"destroyScheduledDuration": "86399s"},
        {"destroyScheduledDuration": "10368001s"},
        {"labels": {"Upper": "v"}},
        {"versionTemplate": {"algorithm": "RSA_SIGN_PSS_2048_SHA256"}},
    ],
)
def test_a_wrong_key_is_refused(cloud, refused, body):
    with refused("INVALID_ARGUMENT", 400):
        make(cloud, **body)


def test_other_purposes_are_not_emulated(cloud, refused):
    with refused("UNIMPLEMENTED", 501):
        make(cloud, purpose="MAC")


def test_a_key_rotates_when_it_is_due(cloud):
    key = make(cloud, rotationPeriod=f"{DAY}s", nextRotationTime=later(DAY))
    cloud.advance(DAY + 10)
    after = cloud.kms("GET", key["name"])
    assert after["primary"]["name"].endswith("/2") and after["nextRotationTime"] > key["nextRotationTime"]
    cloud.advance(3 * DAY)
    assert cloud.kms("GET", key["name"])["primary"]["name"].endswith("/5")


def test_a_patch_changes_what_its_mask_says(cloud, refused):
    key = make(cloud, labels={"a": "b"}, rotationPeriod=f"{DAY}s", nextRotationTime=later(DAY))
    changed = cloud.kms("PATCH", key["name"], {"labels": {"c": "d"}, "rotationPeriod": "90000s"}, updateMask="labels")
    assert (changed["labels"], changed["rotationPeriod"]) == ({"c": "d"}, f"{DAY}s")
    for mask in ("rotationPeriod", "next_rotation_time"):
        with refused("INVALID_ARGUMENT", 400, "together"):
            cloud.kms("PATCH", key["name"], {}, updateMask=mask)
    assert "rotationPeriod" not in cloud.kms("PATCH", key["name"], {}, updateMask="rotationPeriod,nextRotationTime")
    for mask in ("purpose", ""):
        with refused("INVALID_ARGUMENT", 400):
            cloud.kms("PATCH", key["name"], {"labels": {}}, updateMask=mask)


def test_the_states_of_a_version(cloud, refused):
    version = make(cloud)["primary"]["name"]

    def to(state: str) -> str:
        return cloud.kms("PATCH", version, {"state": state}, updateMask="state")["state"]

    assert (to("DISABLED"), to("ENABLED"), to("DISABLED")) == ("DISABLED", "ENABLED", "DISABLED")
    with refused("INVALID_ARGUMENT", 400):
        to("DESTROYED")
    doomed = cloud.kms("POST", f"{version}:destroy", {})
    assert doomed["state"] == "DESTROY_SCHEDULED" and doomed["destroyTime"]
    for wrong in (lambda: to("ENABLED"), lambda: cloud.kms("POST", f"{version}:destroy", {})):
        with refused("FAILED_PRECONDITION", 400):
            wrong()
    restored = cloud.kms("POST", f"{version}:restore", {})
    assert restored["state"] == "DISABLED" and "destroyTime" not in restored
    with refused("FAILED_PRECONDITION", 400):
        cloud.kms("POST", f"{version}:restore", {})
    cloud.kms("POST", f"{version}:destroy", {})
    cloud.advance(30 * DAY + 10)
    gone = cloud.kms("GET", version)
    assert gone["state"] == "DESTROYED" and gone["destroyEventTime"] and "destroyTime" not in gone
    with refused("FAILED_PRECONDITION", 400):
        cloud.kms("POST", f"{version}:restore", {})


def test_the_primary_version_is_an_enabled_one_of_the_key(cloud, refused):
    key = make(cloud)["name"]
    second = cloud.kms("POST", f"{key}/cryptoKeyVersions", {})["name"]
    assert cloud.kms("POST", f"{key}:updatePrimaryVersion", {"cryptoKeyVersionId": "2"})["primary"]["name"] == second
    cloud.kms("PATCH", f"{key}/cryptoKeyVersions/1", {"state": "DISABLED"}, updateMask="state")
    with refused("FAILED_PRECONDITION", 400):
        cloud.kms("POST", f"{key}:updatePrimaryVersion", {"cryptoKeyVersionId": "1"})
    with refused("NOT_FOUND", 404):
        cloud.kms("POST", f"{key}:updatePrimaryVersion", {"cryptoKeyVersionId": "9"})


@pytest.mark.parametrize("of", ["ring", "key"])
def test_a_policy_is_changed_with_the_etag_that_is(cloud, refused, of):
    name = make(cloud)["name"] if of == "key" else make(cloud)["name"].partition("/cryptoKeys/")[0]
    read = cloud.kms("GET", f"{name}:getIamPolicy")
    assert "bindings" not in read and read["etag"]
    cloud.grant(name)
    assert cloud.kms("GET", f"{name}:getIamPolicy")["bindings"][0]["role"].endswith("EncrypterDecrypter")
    with refused("ABORTED", 409):
        cloud.kms("POST", f"{name}:setIamPolicy", {"policy": read})
    cloud.kms("POST", f"{name}:setIamPolicy", {"policy": {"bindings": []}})  # without an etag it overwrites
    assert "bindings" not in cloud.kms("GET", f"{name}:getIamPolicy")
    assert cloud.kms("POST", f"{name}:testIamPermissions", {"permissions": ["cloudkms.cryptoKeys.get"]})["permissions"]


@pytest.mark.parametrize(
    ("binding", "code", "http"),
    [
        ({"role": "owner", "members": ["user:a@b.c"]}, "INVALID_ARGUMENT", 400),
        ({"role": "roles/owner", "members": ["somebody"]}, "INVALID_ARGUMENT", 400),
        (
            {"role": "roles/owner", "members": ["serviceAccount:service-1@compute-system.iam.gserviceaccount.com"]},
            "INVALID_ARGUMENT",
            400,
        ),
        ({"role": "roles/owner", "members": [], "condition": {"expression": "true"}}, "UNIMPLEMENTED", 501),
    ],
)
def test_a_wrong_binding_is_refused(cloud, refused, binding, code, http):
    name = make(cloud)["name"]
    with refused(code, http):
        cloud.kms("POST", f"{name}:setIamPolicy", {"policy": {"bindings": [binding]}})


def test_lists_have_filters_and_pages(cloud, refused):
    for name in ("a", "b", "c"):
        make(cloud, name, labels={"n": name})
    for _ in range(10):
        cloud.kms("POST", f"{RING}/cryptoKeys/a/cryptoKeyVersions", {})
    page = cloud.kms("GET", f"{RING}/cryptoKeys", pageSize=2)
    assert len(page["cryptoKeys"]) == 2 and page["totalSize"] == 3
    rest = cloud.kms("GET", f"{RING}/cryptoKeys", pageToken=page["nextPageToken"], pageSize=2)
    assert [key["name"][-1] for key in rest["cryptoKeys"]] == ["c"] and "nextPageToken" not in rest
    found = cloud.kms("GET", f"{RING}/cryptoKeys", filter="labels.n=b")
    assert [key["name"][-1] for key in found["cryptoKeys"]] == ["b"]
    versions = cloud.kms("GET", f"{RING}/cryptoKeys/a/cryptoKeyVersions", filter="state=ENABLED")["cryptoKeyVersions"]
    assert [version["name"].rpartition("/")[2] for version in versions] == [str(n) for n in range(1, 12)]
    cloud.post("settings", {"page_size": 4})
    assert len(cloud.kms("GET", f"{RING}/cryptoKeys/a/cryptoKeyVersions")["cryptoKeyVersions"]) == 4
    for query in ({"filter": "colour=red"}, {"pageToken": "x"}, {"pageSize": "-1"}):
        with refused("INVALID_ARGUMENT", 400):
            cloud.kms("GET", f"{RING}/cryptoKeys", **query)


def test_rings_and_keys_stay(cloud, refused):
    key = make(cloud)["name"]
    for name in (key, RING):
        with refused("UNIMPLEMENTED", 501):
            cloud.kms("DELETE", name)
