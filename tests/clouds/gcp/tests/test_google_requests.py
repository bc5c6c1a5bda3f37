"""Requests are held against Google's discovery documents, and carry credentials."""

import pytest

COMPUTE = "/compute/v1/projects/emulated-project/zones/us-central1-a"


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "red"},
        {"name": 7},
        {"labels": ["a"]},
        {"canIpForward": "perhaps"},
        {"scheduling": {"onHostMaintenance": "DANCE"}},
        {"shieldedInstanceConfig": {"enableEverything": True}},
        {"disks": {}},
    ],
)
def test_a_field_that_the_document_does_not_have_or_of_another_type_is_refused(cloud, refused, change):
    refusal = refused(cloud.insert, cloud.body(**change))
    assert (refusal.status, refusal.reason) == (400, "invalid")
    assert cloud.list("instances") == []


def test_an_unknown_query_parameter_is_refused(cloud, refused):
    assert refused(cloud.ask, "GET", f"{COMPUTE}/instances?colour=red").status == 400
    assert refused(cloud.ask, "GET", f"{COMPUTE}/instances?maxResults=many").status == 400


def test_a_path_must_match_the_documents_pattern(cloud, refused):
    assert refused(cloud.ask, "GET", f"{COMPUTE}/instances/Not_A_Name").status == 400
    assert refused(cloud.ask, "GET", "/compute/v1/projects/emulated-project/zones/mars-1/instances").status in (400, 404)
    assert refused(cloud.ask, "GET", "/compute/v1/nonsense").status == 404


def test_a_method_that_is_not_emulated_says_so(cloud, refused):
    cloud.running()
    refusal = refused(cloud.ask, "POST", f"{COMPUTE}/instances/builder/suspend")
    assert (refusal.status, refusal.reason) == (501, "notImplemented")


def test_a_request_without_credentials_is_refused(cloud, refused):
    assert refused(cloud.ask, "GET", f"{COMPUTE}/instances", None, None).status == 401


def test_another_project_is_not_ours(cloud, refused):
    assert refused(cloud.ask, "GET", COMPUTE.replace("emulated-project", "other-project") + "/instances").status == 403


def test_the_metadata_server_gives_a_token_and_is_not_counted(cloud, process):
    import json
    import urllib.request

    request = urllib.request.Request(f"{process}/computeMetadata/v1/instance/service-accounts/default/token")
    request.add_header("Metadata-Flavor", "Google")
    with urllib.request.urlopen(request) as reply:
        assert json.load(reply)["access_token"]
    assert cloud.control("GET", "calls")["total"] == 0
