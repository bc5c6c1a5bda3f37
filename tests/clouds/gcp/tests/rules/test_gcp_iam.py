"""Policies of instances and of the tunnels to them; and whom they let in."""

import datetime

import pytest

ANN, BOB = "user:ann@example.com", "user:bob@example.com"
ZONE = "us-central1-a"


@pytest.fixture
def instance(cloud):
    return cloud.running("door", metadata={"items": [{"key": "enable-oslogin", "value": "TRUE"}]})["name"]


def until(cloud, secs):
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=secs)
    return {"title": "t", "expression": f'request.time < timestamp("{end:%Y-%m-%dT%H:%M:%S}Z")'}


def binding(role, member, condition=None):
    return {"role": role, "members": [member], **({"condition": condition} if condition else {})}


def login(cloud, instance, bindings, **more):
    path = f"zones/{ZONE}/instances/{instance}"
    return cloud.compute("POST", f"{path}/setIamPolicy", {"policy": {"version": 3, "bindings": bindings, **more}})


def tunnel(cloud, instance, bindings, **more):
    path = f"projects/emulated-project/iap_tunnel/zones/{ZONE}/instances/{instance}"
    return cloud.kms("POST", f"{path}:setIamPolicy", {"policy": {"version": 3, "bindings": bindings, **more}})


def enters(cloud, instance, member):
    return cloud.post("enter", {"zone": ZONE, "instance": instance, "member": member})["in"]


def test_it_takes_both_roles_and_the_right_member(cloud, instance):
    assert not enters(cloud, instance, ANN)
    login(cloud, instance, [binding("roles/compute.osAdminLogin", ANN)])
    assert not enters(cloud, instance, ANN)
    tunnel(cloud, instance, [binding("roles/iap.tunnelResourceAccessor", ANN)])
    assert enters(cloud, instance, ANN) and not enters(cloud, instance, BOB)
    cloud.compute("POST", f"zones/{ZONE}/instances/{instance}/stop")
    cloud.post("advance", {"secs": 300})
    assert not enters(cloud, instance, ANN)


def test_a_condition_ends_by_itself(cloud, instance):
    condition = until(cloud, 1_000)
    login(cloud, instance, [binding("roles/compute.osAdminLogin", ANN, condition)])
    tunnel(cloud, instance, [binding("roles/iap.tunnelResourceAccessor", ANN, condition)])
    assert enters(cloud, instance, ANN)
    cloud.post("advance", {"secs": 1_100})
    assert not enters(cloud, instance, ANN)


def test_an_older_reader_sees_no_condition(cloud, instance):
    made = login(cloud, instance, [binding("roles/compute.osAdminLogin", ANN, until(cloud, 60))])
    path = f"zones/{ZONE}/instances/{instance}/getIamPolicy"
    assert cloud.compute("GET", path, optionsRequestedPolicyVersion=3) == made
    old = cloud.compute("GET", path)
    assert old["version"] == 1 and old["bindings"][0]["role"].startswith("roles/compute.osAdminLogin_withcond_")


def test_what_is_refused(cloud, instance, refused):
    stale = login(cloud, instance, [])["etag"]
    login(cloud, instance, [binding("roles/compute.osLogin", ANN)])
    with refused("aborted", 409):
        login(cloud, instance, [], etag=stale)
    with refused("invalid", 400):
        login(cloud, instance, [binding("roles/compute.osLogin", ANN, until(cloud, 60))], version=1)
    with refused("notImplemented", 501):
        login(cloud, instance, [binding("roles/compute.osLogin", ANN, {"title": "t", "expression": "true"})])
    with refused("INVALID_ARGUMENT", 400):
        tunnel(cloud, instance, [binding("roles/iap.tunnelResourceAccessor", "ann")])
    with refused("notFound", 404):
        login(cloud, "nothing", [])
