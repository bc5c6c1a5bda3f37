"""Filters, pages, delayed visibility and stale listings."""

import pytest


def tagged(kind="instance", **tags):
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def instances(cloud, **filters):
    wanted = [{"Name": name.replace("_", "-"), "Values": values} for name, values in filters.items()]
    found = cloud.ec2.describe_instances(Filters=wanted)["Reservations"]
    return [instance["InstanceId"] for reservation in found for instance in reservation["Instances"]]


def test_instances_by_client_token(cloud):
    wanted = cloud.launch(ClientToken="mine")["InstanceId"]
    cloud.launch(ClientToken="other")
    assert instances(cloud, client_token=["mine"]) == [wanted]
    assert instances(cloud, client_token=["min"]) == []


def test_instances_by_tag_and_by_tag_key(cloud):
    one = cloud.launch(TagSpecifications=tagged(team="a", only="1"))["InstanceId"]
    two = cloud.launch(TagSpecifications=tagged(team="b"))["InstanceId"]
    assert instances(cloud, **{"tag:team": ["a"]}) == [one]
    assert instances(cloud, **{"tag:team": ["a", "b"]}) == [one, two]
    assert instances(cloud, **{"tag:team": ["?"]}) == [one, two]
    assert instances(cloud, tag_key=["only"]) == [one]
    assert instances(cloud, **{"tag:team": ["A"]}) == []


def test_instances_by_state_and_filters_are_joined_by_and(cloud):
    running = cloud.running(TagSpecifications=tagged(team="a"))
    pending = cloud.launch(TagSpecifications=tagged(team="a"))["InstanceId"]
    assert instances(cloud, instance_state_name=["running"]) == [running]
    assert instances(cloud, **{"tag:team": ["a"], "instance_state_name": ["pending"]}) == [pending]


def test_an_unknown_filter_is_refused(cloud, refused):
    with refused("InvalidParameterValue"):
        instances(cloud, colour=["green"])
    with refused("InvalidParameterValue"):
        cloud.ec2.describe_volumes(Filters=[{"Name": "client-token", "Values": ["x"]}])


def test_volumes_by_filter(cloud):
    instance_id = cloud.running()
    free = cloud.available(Encrypted=True, TagSpecifications=tagged("volume", team="a"))

    def found(name, value):
        volumes = cloud.ec2.describe_volumes(Filters=[{"Name": name, "Values": [value]}])["Volumes"]
        return [volume["VolumeId"] for volume in volumes]

    root = found("attachment.instance-id", instance_id)
    assert len(root) == 1 and root != [free]
    assert found("tag:team", "a") == found("status", "available") == found("encrypted", "true") == [free]
    assert found("status", "in-use") == found("encrypted", "false") == root
    assert found("tag-key", "team") == [free]


def pages(cloud, operation, **request):
    sizes, seen = [], []
    paginator = cloud.ec2.get_paginator(operation)
    for page in paginator.paginate(**request):
        rows = page.get("Volumes")
        if rows is None:
            rows = [instance for reservation in page["Reservations"] for instance in reservation["Instances"]]
        sizes.append(len(rows))
        seen += [row.get("VolumeId") or row["InstanceId"] for row in rows]
    assert len(seen) == len(set(seen))
    return sizes


def test_pages_that_the_caller_asks_for(cloud):
    for _ in range(12):
        cloud.launch()
    assert pages(cloud, "describe_instances", PaginationConfig={"PageSize": 5}) == [5, 5, 2]
    assert pages(cloud, "describe_volumes", PaginationConfig={"PageSize": 5}) == [5, 5, 2]
    assert pages(cloud, "describe_volumes") == [12]


def test_pages_that_the_server_forces(cloud):
    for _ in range(5):
        cloud.launch()
    cloud.post("settings", {"page_size": 2})
    assert pages(cloud, "describe_instances") == [2, 2, 1]
    assert pages(cloud, "describe_volumes", PaginationConfig={"PageSize": 100}) == [2, 2, 1]


def test_nothing_is_skipped_when_something_goes_between_two_pages(cloud):
    made = [cloud.available() for _ in range(4)]
    cloud.post("settings", {"page_size": 2, "settle": 0})
    first = cloud.ec2.describe_volumes()
    cloud.ec2.delete_volume(VolumeId=made[0])
    second = cloud.ec2.describe_volumes(NextToken=first["NextToken"])
    assert [volume["VolumeId"] for volume in second["Volumes"]] == made[2:]


def test_the_size_of_a_page_is_checked(cloud, refused):
    with refused("InvalidParameterValue"):
        cloud.ec2.describe_instances(MaxResults=4)
    with refused("InvalidParameterValue"):
        cloud.ec2.describe_volumes(MaxResults=1001)
    with refused("InvalidParameterCombination"):
        cloud.ec2.describe_instances(MaxResults=5, InstanceIds=[cloud.launch()["InstanceId"]])
    with refused("InvalidNextToken"):
        cloud.ec2.describe_instances(NextToken="nonsense")


def test_what_is_new_is_not_visible_yet(cloud, refused):
    cloud.post("settings", {"visibility_lag": 5})
    instance_id, volume_id = cloud.launch(ClientToken="t")["InstanceId"], cloud.volume()
    assert instances(cloud, client_token=["t"]) == []
    assert cloud.ec2.describe_volumes()["Volumes"] == []
    with refused("InvalidInstanceID.NotFound"):
        cloud.instance(instance_id)
    with refused("InvalidVolume.NotFound"):
        cloud.volume_now(volume_id)
    with refused("InvalidInstanceID.NotFound"):
        cloud.ec2.create_tags(Resources=[instance_id], Tags=[{"Key": "a", "Value": "b"}])
    assert cloud.launch(ClientToken="t")["InstanceId"] == instance_id
    cloud.advance(6)
    assert instances(cloud, client_token=["t"]) == [instance_id]
    assert cloud.volume_now(volume_id)["VolumeId"] == volume_id


def test_stale_listings_show_the_past_and_ids_the_present(cloud):
    instance_id, volume_id = cloud.running(), cloud.available()
    cloud.post("settings", {"settle": 0, "stale": 5})
    assert instances(cloud) == []
    cloud.advance(6)
    cloud.ec2.stop_instances(InstanceIds=[instance_id])
    cloud.ec2.delete_volume(VolumeId=volume_id)
    assert instances(cloud, instance_state_name=["running"]) == [instance_id]
    assert volume_id in [volume["VolumeId"] for volume in cloud.ec2.describe_volumes()["Volumes"]]
    assert cloud.state(instance_id) == "stopped"
    cloud.advance(6)
    assert instances(cloud, instance_state_name=["stopped"]) == [instance_id]
    assert volume_id not in [volume["VolumeId"] for volume in cloud.ec2.describe_volumes()["Volumes"]]


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_images(cloud, refused, architecture):
    found = cloud.ec2.describe_images(Filters=[{"Name": "architecture", "Values": [architecture]}])["Images"]
    assert [image["ImageId"] for image in found] == [cloud.place()["images"][architecture]]
    with refused("InvalidAMIID.NotFound"):
        cloud.ec2.describe_images(ImageIds=["ami-00000000000000000"])


def test_status_is_of_what_runs(cloud):
    running, pending = cloud.running(), cloud.launch()["InstanceId"]

    def shown(**request):
        return [row["InstanceId"] for row in cloud.ec2.describe_instance_status(**request)["InstanceStatuses"]]

    assert shown() == [running]
    assert shown(IncludeAllInstances=True) == [running, pending]
