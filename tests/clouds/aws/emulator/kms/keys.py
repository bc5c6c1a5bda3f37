"""What can be done to keys: create, describe, list, rotate, disable, delete, tag, policy. It owns their checks.

It must never delete a key at once: there is a wait of 7 to 30 days (API_ScheduleKeyDeletion).

The states that each operation refuses: kms/latest/developerguide/key-state.html, the table.
"""

import json

from ..errors import AwsError
from ..world import ACCOUNT
from .key import Key
from .request import Request, invalid

_DAY = 86400
_USAGES = ("ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT")
_POLICY_LIMIT = 32 * 1024
_MOST_TAGS = 50


def create_key(request: Request) -> dict:
    params = request.params
    usage = params.get("KeyUsage", "ENCRYPT_DECRYPT")
    spec = params.get("KeySpec", params.get("CustomerMasterKeySpec", "SYMMETRIC_DEFAULT"))
    if usage not in _USAGES:
        raise invalid(f"Value '{usage}' at 'keyUsage' failed to satisfy constraint")
    if spec == "SYMMETRIC_DEFAULT" and usage != "ENCRYPT_DECRYPT":
        raise invalid(f"KeyUsage {usage} is not compatible with KeySpec {spec}")
    if len(params.get("Description", "")) > 8192:
        raise invalid("Value at 'description' failed to satisfy constraint: at most 8192 characters")
    policy = params.get("Policy")
    if policy is None:
        policy = _default_policy()
    else:
        check_policy(policy, bool(params.get("BypassPolicyLockoutSafetyCheck", False)))
    tags = _tags(params.get("Tags", []))
    key = Key(request.region.name, usage, spec, params.get("Description", ""), policy, tags, request.now)
    request.region.keys[key.id] = key
    return {"KeyMetadata": key.metadata()}


def _default_policy() -> str:
    """ "Default key policy" (kms/latest/developerguide/key-policy-default.html): the account may do everything."""
    statement = {"Sid": "Enable IAM User Permissions", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
                 "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]})


def check_policy(policy: str, bypass: bool) -> None:
    """API_CreateKey, Policy: well-formed, at most 32 KB, and, without BypassPolicyLockoutSafetyCheck, "must allow the
    calling principal to make a subsequent PutKeyPolicy request"; else MalformedPolicyDocumentException."""
    if not 0 < len(policy) <= _POLICY_LIMIT:
        raise AwsError("LimitExceededException", "The policy is too long")
    try:
        statements = json.loads(policy)["Statement"]
        statements = statements if isinstance(statements, list) else [statements]
        allowed = any(_lets_us_change_it(statement) for statement in statements)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise AwsError("MalformedPolicyDocumentException", "The policy is not well-formed") from None
    if not allowed and not bypass:
        text = "The new key policy will not allow you to update the key policy in the future."
        raise AwsError("MalformedPolicyDocumentException", text)


def _lets_us_change_it(statement: dict) -> bool:
    """An Allow, without conditions, of kms:PutKeyPolicy to the account or everyone; finer ones are not evaluated."""
    principal = statement.get("Principal")
    named = principal.get("AWS", []) if isinstance(principal, dict) else principal
    named = [named] if isinstance(named, str) else named or []
    actions = statement["Action"] if isinstance(statement.get("Action"), list) else [statement.get("Action")]
    ours = {"*", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:user/emulated"}
    return (
        statement.get("Effect") == "Allow"
        and not statement.get("Condition")
        and any(each in ours for each in named)
        and any(each in ("*", "kms:*", "kms:Put*", "kms:PutKeyPolicy") for each in actions)
    )


def describe_key(request: Request) -> dict:
    return {"KeyMetadata": request.key(aliases=True).metadata()}


def list_keys(request: Request) -> dict:
    """All of them, also those that are disabled or to be deleted; of a stale listing, those that were there already."""
    then = request.now - request.call.lie.age(request.world.settings.stale)
    rows = [{"KeyId": key.id, "KeyArn": key.arn} for key in request.region.keys.values() if key.created <= then]
    return request.page(rows, "Keys", 100, 1000)


def enable_key_rotation(request: Request) -> dict:
    key = request.key()
    key.refuse_unless_enabled()
    if key.spec != "SYMMETRIC_DEFAULT":
        raise AwsError("UnsupportedOperationException", "Only symmetric encryption keys rotate automatically")
    days = request.params.get("RotationPeriodInDays", 365)
    if not 90 <= days <= 2560:
        raise invalid("Value at 'rotationPeriodInDays' failed to satisfy constraint: 90 to 2560")
    key.rotation, key.rotation_days = True, days
    return {}


def disable_key_rotation(request: Request) -> dict:
    key = request.key()
    key.refuse_unless_enabled()
    key.rotation = False
    return {}


def get_key_rotation_status(request: Request) -> dict:
    """API_GetKeyRotationStatus: pending deletion, "its key rotation status is false"; disabled, it is kept."""
    key = request.key()
    found: dict = {"KeyId": key.arn, "KeyRotationEnabled": key.rotation and key.state != "PendingDeletion"}
    if found["KeyRotationEnabled"]:
        found["RotationPeriodInDays"] = key.rotation_days
        found["NextRotationDate"] = key.created + key.rotation_days * _DAY
    return found


def enable_key(request: Request) -> dict:
    key = request.key()
    key.refuse_if_pending_deletion()
    key.state = "Enabled"
    return {}


def disable_key(request: Request) -> dict:
    key = request.key()
    key.refuse_if_pending_deletion()
    key.state = "Disabled"
    return {}


def schedule_key_deletion(request: Request) -> dict:
    key = request.key()
    days = request.params.get("PendingWindowInDays", 30)
    if not isinstance(days, int) or not 7 <= days <= 30:
        raise invalid(f"Value '{days}' at 'pendingWindowInDays' failed to satisfy constraint: 7 to 30")
    key.refuse_if_pending_deletion()
    key.state, key.deletion_at = "PendingDeletion", request.now + days * _DAY
    return {"KeyId": key.arn, "DeletionDate": key.deletion_at, "KeyState": key.state, "PendingWindowInDays": days}


def cancel_key_deletion(request: Request) -> dict:
    """API_CancelKeyDeletion: "If this operation succeeds, the key state of the KMS key is Disabled"."""
    key = request.key()
    if key.state != "PendingDeletion":
        raise AwsError("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
    key.state, key.deletion_at = "Disabled", None
    return {"KeyId": key.arn}


def get_key_policy(request: Request) -> dict:
    key = request.key()
    if request.params.get("PolicyName", "default") != "default":
        raise AwsError("NotFoundException", "No such policy exists")
    return {"Policy": key.policy, "PolicyName": "default"}


def put_key_policy(request: Request) -> dict:
    key = request.key()
    check_policy(request.params.get("Policy", ""), bool(request.params.get("BypassPolicyLockoutSafetyCheck", False)))
    key.policy = request.params["Policy"]
    return {}


def list_key_policies(request: Request) -> dict:
    request.key()
    return request.page(["default"], "PolicyNames", 100, 1000)


def list_resource_tags(request: Request) -> dict:
    rows = [{"TagKey": name, "TagValue": value} for name, value in request.key().tags.items()]
    return request.page(rows, "Tags", 50, 50)


def tag_resource(request: Request) -> dict:
    key = request.key()
    key.refuse_if_pending_deletion()
    tags = {**key.tags, **_tags(request.params.get("Tags", []))}
    if len(tags) > _MOST_TAGS:
        raise AwsError("LimitExceededException", "Tags limit exceeded")
    key.tags = tags
    return {}


def untag_resource(request: Request) -> dict:
    key = request.key()
    key.refuse_if_pending_deletion()
    for name in request.params.get("TagKeys", []):
        key.tags.pop(name, None)
    return {}


def _tags(given: list) -> dict[str, str]:
    """API_Tag, and TagException of API_TagResource."""
    tags: dict[str, str] = {}
    for tag in given:
        name, value = tag.get("TagKey", ""), tag.get("TagValue", "")
        if not 1 <= len(name) <= 128 or len(value) > 256:
            raise invalid("Value at 'tags' failed to satisfy constraint: keys of 1 to 128, values to 256 characters")
        if name.lower().startswith("aws:"):
            raise AwsError("TagException", "Tags beginning with aws: are reserved")
        if name in tags:
            raise AwsError("TagException", "Duplicate tag keys")
        tags[name] = value
    if len(tags) > _MOST_TAGS:
        raise AwsError("LimitExceededException", "Tags limit exceeded")
    return tags
