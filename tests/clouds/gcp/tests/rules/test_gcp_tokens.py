"""requestId: the same request gives the same operation; another one is refused."""

import pytest


@pytest.mark.parametrize(
    "bad",
    [
        "x",
        "00000000-0000-0000-0000-000000000000",
        "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
        "6ba7b8109dad11d180b400c04fd430c8",
    ],
)
def test_it_is_a_uuid_and_not_zero(cloud, refused, bad):
    with refused("invalid", 400, "requestId"):
        cloud.insert(requestId=bad)


def test_a_replay_gives_the_operation_as_it_is_now(cloud, token):
    first = cloud.insert(requestId=token)
    assert first["clientOperationId"] == token
    cloud.settled()
    again = cloud.insert(requestId=token)
    assert (again["name"], again["status"]) == (first["name"], "DONE")


def test_a_replay_does_nothing_when_the_instance_is_gone(cloud, token):
    first = cloud.insert(requestId=token)
    cloud.settled()
    cloud.compute("DELETE", "zones/us-central1-a/instances/m")
    cloud.settled()
    assert cloud.insert(requestId=token)["name"] == first["name"]
    assert cloud.get("state")["zones"] == {}


def test_another_body_or_path_or_query_is_refused(cloud, refused, token):
    cloud.running(requestId=token)
    with refused("requestIdMismatch", 409):
        cloud.insert(requestId=token, labels={"a": "b"})
    with refused("requestIdMismatch", 409):
        cloud.insert(zone="us-central1-b", requestId=token)
    with refused("requestIdMismatch", 409):
        cloud.do("stop", requestId=token)


def test_what_is_said_in_the_query_is_part_of_the_request(cloud, refused, token):
    cloud.running()
    query = {"deviceName": "persistent-disk-0", "requestId": token}
    cloud.do("setDiskAutoDelete", autoDelete="false", **query)
    with refused("requestIdMismatch", 409):
        cloud.do("setDiskAutoDelete", autoDelete="true", **query)


def test_a_refused_request_leaves_its_id_free(cloud, refused, token):
    with refused("invalid", 400):
        cloud.insert(requestId=token, labels={"Upper": "v"})
    cloud.insert(requestId=token)


def test_it_is_remembered_for_an_hour(cloud, refused, token):
    first = cloud.insert(requestId=token)
    cloud.advance(3590)
    assert cloud.insert(requestId=token)["name"] == first["name"]
    cloud.advance(20)
    with refused("alreadyExists", 409):
        cloud.insert(requestId=token)


@pytest.mark.parametrize(("verb", "then"), [("stop", "TERMINATED"), ("start", "RUNNING")])
def test_changes_have_them_too(cloud, token, verb, then):
    cloud.running()
    if verb == "start":
        cloud.do("stop")
        cloud.settled()
    first = cloud.do(verb, requestId=token)
    assert cloud.do(verb, requestId=token)["name"] == first["name"]
    cloud.settled()
    assert cloud.instance()["status"] == then


def test_a_failed_operation_is_replayed_as_failed(cloud, token):
    cloud.post("capacity", [{}])
    assert cloud.ended(cloud.insert(requestId=token)) == "ZONE_RESOURCE_POOL_EXHAUSTED"
    cloud.post("capacity", [])
    assert cloud.insert(requestId=token)["error"]["errors"][0]["code"] == "ZONE_RESOURCE_POOL_EXHAUSTED"
    assert cloud.get("state")["zones"] == {}
