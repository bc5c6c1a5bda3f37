"""CreateTags, DeleteTags, DescribeTags, and the limits of tags at creation."""

import pytest


def tags_of(cloud, resource_id):
    found = cloud.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [resource_id]}])["Tags"]
    return {tag["Key"]: tag["Value"] for tag in found}


def test_tags_of_ours_and_of_motos_in_one_call(cloud):
    ids = [cloud.launch()["InstanceId"], cloud.volume(), cloud.place()["subnets"]["us-east-1a"]]
    cloud.ec2.create_tags(Resources=ids, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    cloud.ec2.delete_tags(Resources=ids, Tags=[{"Key": "b"}])
    assert [tags_of(cloud, each) for each in ids] == [{"a": "1"}] * 3
    assert cloud.volume_now(ids[1])["Tags"] == [{"Key": "a", "Value": "1"}]
    assert cloud.instance(ids[0])["Tags"] == [{"Key": "a", "Value": "1"}]


def test_a_tag_with_another_value_is_not_deleted(cloud):
    instance_id = cloud.launch()["InstanceId"]
    cloud.ec2.create_tags(Resources=[instance_id], Tags=[{"Key": "a", "Value": "1"}])
    cloud.ec2.delete_tags(Resources=[instance_id], Tags=[{"Key": "a", "Value": "2"}])
    assert tags_of(cloud, instance_id) == {"a": "1"}


def test_one_unknown_resource_spares_the_others(cloud, refused):
    instance_id = cloud.launch()["InstanceId"]
    for unknown, code in (
        ("vol-00000000000000000", "InvalidVolume.NotFound"),
        ("i-00000000000000000", "InvalidInstanceID.NotFound"),
    ):
        with refused(code):
            cloud.ec2.create_tags(Resources=[instance_id, unknown], Tags=[{"Key": "a", "Value": "1"}])
    assert tags_of(cloud, instance_id) == {}


@pytest.mark.parametrize(
    ("code", "tags"),
    [
        ("InvalidParameterValue", {"aws:x": "1"}),
        ("InvalidParameterValue", {"x" * 129: "1"}),
        ("InvalidParameterValue", {"x": "1" * 257}),
        ("TagLimitExceeded", {f"k{n}": "v" for n in range(51)}),
    ],
)
def test_limits(cloud, refused, code, tags):
    rows = [{"Key": key, "Value": value} for key, value in tags.items()]
    with refused(code):
        cloud.launch(TagSpecifications=[{"ResourceType": "instance", "Tags": rows}])
    instance_id = cloud.launch()["InstanceId"]
    with refused(code):
        cloud.ec2.create_tags(Resources=[instance_id], Tags=rows)


def test_a_launch_tags_instances_and_volumes_only(cloud, refused):
    with refused("InvalidParameterValue"):
        cloud.launch(TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}])
