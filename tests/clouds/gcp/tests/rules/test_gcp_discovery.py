"""What the discovery documents say is held: methods, parameters, bodies, formats."""

import pytest
import requests

ZONE = "us-central1-a"


def test_no_authorization_is_401(cloud, refused):
    with refused("authError", 401):
        cloud.ask("GET", f"/compute/v1/projects/emulated-project/zones/{ZONE}/instances", headers={})
    with refused("UNAUTHENTICATED", 401):
        cloud.ask("GET", "/v1/projects/emulated-project/locations/us/keyRings", headers={"Authorization": "Basic x"})


def test_an_unknown_path_is_404_and_an_unknown_method_501(cloud, refused):
    with refused("notFound", 404):
        cloud.compute("GET", "nowhere")
    with refused("notFound", 404):
        cloud.compute("PUT", f"zones/{ZONE}/instances")
    with refused("notImplemented", 501):
        cloud.compute("POST", f"zones/{ZONE}/instances/m/reset")
    with refused("UNIMPLEMENTED", 501):
        cloud.kms(
            "POST", "projects/emulated-project/locations/us/keyRings/r/cryptoKeys/k:encrypt", {"plaintext": "eA=="}
        )


def test_another_project_is_403_and_a_number_is_as_good_as_the_name(cloud, refused):
    with refused("forbidden", 403):
        cloud.ask("GET", f"/compute/v1/projects/other/zones/{ZONE}/instances")
    with refused("PERMISSION_DENIED", 403):
        cloud.kms("GET", "projects/other/locations/us/keyRings")
    assert cloud.ask("GET", "/compute/v1/projects/123456789012")["name"] == "emulated-project"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"colour": "red"}, "invalid"),
        ({"maxResults": "many"}, "invalid"),
        ({"maxResults": "501"}, "invalid"),
        ({"orderBy": "size"}, "invalid"),
    ],
)
def test_query_parameters_are_checked(cloud, refused, query, code):
    with refused(code, 400):
        cloud.compute("GET", f"zones/{ZONE}/instances", **query)


def test_a_parameter_given_twice_is_refused(cloud, refused):
    with refused("invalid", 400):
        cloud.ask("GET", f"/compute/v1/projects/emulated-project/zones/{ZONE}/instances?filter=id=1&filter=id=2")


def test_standard_parameters_are_taken(cloud):
    query = {
        "alt": "json",
        "prettyPrint": "false",
        "$alt": "json;enum-encoding=int",
        "fields": "items",
        "quotaUser": "u",
        "key": "k",
    }
    cloud.compute("GET", f"zones/{ZONE}/instances", **query)
    cloud.compute("GET", "aggregated/instances", includeAllScopes="True", returnPartialSuccess="True")


def test_a_required_parameter_is_required(cloud, refused):
    cloud.running()
    with refused("required", 400):
        cloud.do("detachDisk")


@pytest.mark.parametrize(
    "changed",
    [
        {"colour": "red"},
        {"name": "Upper"},
        {"canIpForward": "yes"},
        {"canIpForward": 1},
        {"disks": {}},
        {"labels": []},
        {"labels": {"a": 1}},
        {"scheduling": {"onHostMaintenance": "EXPLODE"}},
        {"scheduling": {"colour": 1}},
        {"metadata": {"items": [{"key": "a b", "value": "v"}]}},
        {"metadata": {"items": [{"key": "a", "value": "v", "more": 1}]}},
        {"metadata": {"fingerprint": "not base64!"}},
        {"shieldedInstanceConfig": {"enableVtpm": "true"}},
    ],
)
def test_bodies_are_checked_against_the_schema(cloud, refused, changed):
    with refused("invalid", 400):
        cloud.insert(**changed)
    assert cloud.get("state")["zones"] == {}


def test_what_the_schema_requires_is_required(cloud, refused):
    with refused("required", 400):
        cloud.insert(name=None, **{})
    with refused("required", 400, "metadata.items[0].value"):
        cloud.insert(metadata={"items": [{"key": "k"}]})


@pytest.mark.parametrize("size", ["20", 20, 20.0])
def test_a_64_bit_number_is_text_or_number(cloud, size):
    cloud.insert(disks=[cloud.newborn(boot=True, sourceImage=cloud.image("arm64"), diskSizeGb=size)])
    cloud.settled()
    assert cloud.disk("m")["sizeGb"] == "20"


@pytest.mark.parametrize("size", ["many", 20.5, True, str(2**63)])
def test_a_64_bit_number_is_a_whole_one(cloud, refused, size):
    with refused("invalid", 400, "TYPE_INT64"):
        cloud.insert(disks=[cloud.newborn(boot=True, sourceImage=cloud.image("arm64"), diskSizeGb=size)])


def test_a_body_is_json_and_an_object(cloud):
    for body in ("{", "[]"):
        url = f"{cloud.url}/compute/v1/projects/emulated-project/zones/{ZONE}/instances"
        answer = requests.post(url, data=body, headers={"Authorization": "Bearer t"}, timeout=10)
        assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, "parseError")


def test_a_method_without_a_body_takes_none(cloud, refused):
    cloud.running()
    with refused("invalid", 400):
        cloud.do("stop", body={"colour": "red"})
    cloud.do("stop", body={})


@pytest.mark.parametrize(
    "changed",
    [
        {"minCpuPlatform": "x"},
        {"guestAccelerators": []},
        {"resourcePolicies": ["p"]},
        {"networkInterfaces": [{"aliasIpRanges": []}]},
        {"disks": [{"diskEncryptionKey": {"rawKey": "eA=="}}]},
    ],
)
def test_what_is_not_emulated_is_refused_and_not_ignored(cloud, refused, changed):
    with refused("notImplemented", 501):
        cloud.insert(**changed)


def test_what_is_output_only_is_ignored(cloud):
    assert cloud.insert(status="STOPPED", creationTimestamp="then", id="5")["targetId"] != "5"


def test_an_enum_of_cloud_kms_may_be_a_number_and_it_is_the_right_one(cloud, refused):
    name = cloud.key(purpose=1)
    version = f"{name}/cryptoKeyVersions/1"
    assert cloud.kms("PATCH", version, {"state": 2}, updateMask="state")["state"] == "DISABLED"
    assert cloud.kms("PATCH", version, {"state": 1}, updateMask="state")["state"] == "ENABLED"
    cloud.kms("GET", f"{name}/cryptoKeyVersions", view="0")
    with refused("INVALID_ARGUMENT", 400):
        cloud.kms("PATCH", version, {"state": 99}, updateMask="state")
    with refused("INVALID_ARGUMENT", 400):
        cloud.kms("PATCH", version, {"state": "ENABLED"}, updateMask="state;labels")


def test_names_may_be_written_in_snake_case(cloud):
    name = cloud.key(version_template={"protection_level": "HSM"})
    assert cloud.kms("GET", name)["versionTemplate"]["protectionLevel"] == "HSM"
