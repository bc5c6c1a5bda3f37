"""KMS: all of it that is emulated. It owns the table of operations and the lock around each of them.

It must never pass anything on to moto: a key lives here only.
"""

from ..call import Call
from ..errors import AwsError
from ..world import World
from . import aliases, keys
from .request import Request

_OURS = {
    "CreateKey": keys.create_key,
    "DescribeKey": keys.describe_key,
    "ListKeys": keys.list_keys,
    "EnableKeyRotation": keys.enable_key_rotation,
    "DisableKeyRotation": keys.disable_key_rotation,
    "GetKeyRotationStatus": keys.get_key_rotation_status,
    "EnableKey": keys.enable_key,
    "DisableKey": keys.disable_key,
    "ScheduleKeyDeletion": keys.schedule_key_deletion,
    "CancelKeyDeletion": keys.cancel_key_deletion,
    "GetKeyPolicy": keys.get_key_policy,
    "PutKeyPolicy": keys.put_key_policy,
    "ListKeyPolicies": keys.list_key_policies,
    "ListResourceTags": keys.list_resource_tags,
    "TagResource": keys.tag_resource,
    "UntagResource": keys.untag_resource,
    "CreateAlias": aliases.create_alias,
    "UpdateAlias": aliases.update_alias,
    "DeleteAlias": aliases.delete_alias,
    "ListAliases": aliases.list_aliases,
}


def answer(world: World, call: Call) -> dict:
    act = _OURS.get(call.action)
    if act is None:
        raise AwsError("UnsupportedOperationException", f"the emulator has no {call.action}")
    with world.lock:
        return act(Request(world, world.region(call.region), call, world.now()))
