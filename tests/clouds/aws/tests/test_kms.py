"""KMS: keys, their states, aliases, policies, tags, pages, regions."""

import json

import pytest

ROOT = "arn:aws:iam::123456789012:root"


def policy(action="kms:*", principal=ROOT):
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_key_is_as_asked(cloud):
    tags = [{"TagKey": "org", "TagValue": "acme"}]
    made = cloud.kms.create_key(Description="d", Policy=policy(), Tags=tags)["KeyMetadata"]
    assert (made["KeyState"], made["KeySpec"], made["KeyUsage"]) == ("Enabled", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    assert cloud.kms.get_key_policy(KeyId=made["KeyId"], PolicyName="default")["Policy"] == policy()
    assert cloud.kms.list_resource_tags(KeyId=made["KeyId"])["Tags"] == tags
    assert cloud.kms.describe_key(KeyId=made["Arn"])["KeyMetadata"]["Description"] == "d"


def test_each_create_is_another_key(cloud):
    """There is no token: the same request twice is two keys."""
    assert cloud.key() != cloud.key()


def test_a_key_is_found_by_id_arn_alias_and_alias_arn(cloud, refused):
    arn = cloud.key()
    cloud.kms.create_alias(AliasName="alias/a/b", TargetKeyId=arn)
    for name in (arn, arn.rpartition("/")[2], "alias/a/b", "arn:aws:kms:us-east-1:123456789012:alias/a/b"):
        assert cloud.kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == arn
    for name in ("alias/nobody", "00000000-0000-4000-a000-000000000000", "nonsense"):
        with refused("NotFoundException"):
            cloud.kms.describe_key(KeyId=name)


def test_only_describe_takes_an_alias(cloud, refused):
    cloud.kms.create_alias(AliasName="alias/a", TargetKeyId=cloud.key())
    with refused("NotFoundException"):
        cloud.kms.disable_key(KeyId="alias/a")
    with refused("NotFoundException"):
        cloud.kms.schedule_key_deletion(KeyId="alias/a")


def test_keys_and_aliases_belong_to_their_region(cloud, refused):
    arn = cloud.key()
    cloud.kms.create_alias(AliasName="alias/a", TargetKeyId=arn)
    europe = cloud.client("kms", "eu-central-1")
    for name in (arn, arn.rpartition("/")[2], "alias/a"):
        with refused("NotFoundException"):
            europe.describe_key(KeyId=name)
    with refused("NotFoundException"):
        europe.create_alias(AliasName="alias/b", TargetKeyId=arn)
    assert europe.list_keys()["Keys"] == europe.list_aliases()["Aliases"] == []
    europe.create_alias(AliasName="alias/a", TargetKeyId=cloud.key("eu-central-1"))
    with refused("NotFoundException"):  # the same name here is another key's
        europe.describe_key(KeyId="arn:aws:kms:us-east-1:123456789012:alias/a")


def test_an_alias_is_there_once(cloud, refused):
    one, other = cloud.key(), cloud.key()
    cloud.kms.create_alias(AliasName="alias/a", TargetKeyId=one)
    for key in (one, other):
        with refused("AlreadyExistsException"):
            cloud.kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    cloud.kms.update_alias(AliasName="alias/a", TargetKeyId=other)
    assert cloud.kms.describe_key(KeyId="alias/a")["KeyMetadata"]["Arn"] == other
    cloud.kms.delete_alias(AliasName="alias/a")
    with refused("NotFoundException"):
        cloud.kms.delete_alias(AliasName="alias/a")
    with refused("NotFoundException"):
        cloud.kms.update_alias(AliasName="alias/a", TargetKeyId=one)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("ValidationException", "a"),
        ("InvalidAliasNameException", "alias/aws/ebs"),
        ("InvalidAliasNameException", "alias/a b"),
        ("InvalidAliasNameException", "alias/" + "x" * 251),
    ],
)
def test_names_of_aliases_are_checked(cloud, refused, code, name):
    with refused(code):
        cloud.kms.create_alias(AliasName=name, TargetKeyId=cloud.key())


def test_aliases_are_listed_by_key(cloud):
    one, other = cloud.key(), cloud.key()
    for name, key in (("alias/1", one), ("alias/2", one), ("alias/3", other)):
        cloud.kms.create_alias(AliasName=name, TargetKeyId=key)
    assert [each["AliasName"] for each in cloud.kms.list_aliases(KeyId=one)["Aliases"]] == ["alias/1", "alias/2"]
    assert len(cloud.kms.list_aliases()["Aliases"]) == 3


def test_lists_come_in_pages(cloud, refused):
    keys = [cloud.key() for _ in range(5)]
    paginator = cloud.kms.get_paginator("list_keys")
    pages = [page["Keys"] for page in paginator.paginate(PaginationConfig={"PageSize": 2})]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [key["KeyArn"] for page in pages for key in page] == keys
    cloud.post("settings", {"page_size": 3})
    assert [len(page["Keys"]) for page in paginator.paginate()] == [3, 2]
    with refused("InvalidMarkerException"):
        cloud.kms.list_keys(Marker="nonsense")


def test_rotation(cloud, refused):
    key = cloud.key()
    assert cloud.kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    cloud.kms.enable_key_rotation(KeyId=key)
    assert cloud.kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is True
    with refused("ValidationException"):
        cloud.kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=89)
    cloud.kms.disable_key(KeyId=key)
    with refused("DisabledException"):
        cloud.kms.enable_key_rotation(KeyId=key)
    signing = cloud.kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")["KeyMetadata"]["KeyId"]
    with refused("UnsupportedOperationException"):
        cloud.kms.enable_key_rotation(KeyId=signing)


def test_deletion_waits_and_can_be_cancelled(cloud, refused):
    key = cloud.key()
    for days in (6, 31):
        with refused("ValidationException"):
            cloud.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)
    with refused("KMSInvalidStateException"):
        cloud.kms.cancel_key_deletion(KeyId=key)
    found = cloud.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert found["KeyState"] == "PendingDeletion"
    shown = cloud.kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (shown["KeyState"], shown["Enabled"], "DeletionDate" in shown) == ("PendingDeletion", False, True)
    cloud.kms.cancel_key_deletion(KeyId=key)
    assert cloud.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"


def test_a_key_pending_deletion_refuses_changes(cloud, refused):
    key = cloud.key()
    cloud.kms.create_alias(AliasName="alias/before", TargetKeyId=key)
    cloud.kms.create_alias(AliasName="alias/other", TargetKeyId=cloud.key())
    cloud.kms.schedule_key_deletion(KeyId=key)
    changes = [
        lambda: cloud.kms.schedule_key_deletion(KeyId=key),
        lambda: cloud.kms.enable_key(KeyId=key),
        lambda: cloud.kms.disable_key(KeyId=key),
        lambda: cloud.kms.enable_key_rotation(KeyId=key),
        lambda: cloud.kms.disable_key_rotation(KeyId=key),
        lambda: cloud.kms.create_alias(AliasName="alias/after", TargetKeyId=key),
        lambda: cloud.kms.update_alias(AliasName="alias/other", TargetKeyId=key),
        lambda: cloud.kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}]),
        lambda: cloud.kms.untag_resource(KeyId=key, TagKeys=["a"]),
    ]
    for change in changes:
        with refused("KMSInvalidStateException"):
            change()
    cloud.kms.describe_key(KeyId="alias/before")
    cloud.kms.get_key_policy(KeyId=key, PolicyName="default")
    cloud.kms.list_resource_tags(KeyId=key)
    assert cloud.kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    cloud.kms.delete_alias(AliasName="alias/before")


def test_policies_are_checked(cloud, refused):
    for wrong in ("not json", json.dumps({"Version": "2012-10-17"}), policy("kms:DescribeKey"),
                  policy(principal="arn:aws:iam::210987654321:root")):  # fmt: skip
        with refused("MalformedPolicyDocumentException"):
            cloud.kms.create_key(Policy=wrong)
    cloud.kms.create_key(Policy=policy("kms:DescribeKey"), BypassPolicyLockoutSafetyCheck=True)
    key = cloud.key()
    with refused("MalformedPolicyDocumentException"):
        cloud.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy("kms:DescribeKey"))
    cloud.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy(["kms:Put*"]))


def test_tags(cloud, refused):
    key = cloud.key()
    cloud.kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": "2"}])
    cloud.kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "3"}])
    cloud.kms.untag_resource(KeyId=key, TagKeys=["b"])
    assert cloud.kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "a", "TagValue": "3"}]
    for wrong in ([{"TagKey": "aws:x", "TagValue": ""}], [{"TagKey": "x", "TagValue": ""}] * 2):
        with refused("TagException"):
            cloud.kms.create_key(Tags=wrong)


def test_a_denied_key_is_denied_until_it_is_not(cloud, refused):
    key = cloud.key()
    cloud.post("deny-key", {"key": key})
    with refused("AccessDeniedException"):
        cloud.kms.describe_key(KeyId=key)
    cloud.post("deny-key", {"key": key, "deny": False})
    cloud.kms.describe_key(KeyId=key)


def test_what_is_not_emulated_is_refused(cloud, refused):
    with refused("UnsupportedOperationException"):
        cloud.kms.encrypt(KeyId=cloud.key(), Plaintext=b"x")


def test_spec_and_usage_must_fit(cloud, refused):
    with refused("ValidationException"):
        cloud.kms.create_key(KeyUsage="SIGN_VERIFY")
