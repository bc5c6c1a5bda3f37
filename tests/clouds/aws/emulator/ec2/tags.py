"""Tags of instances, volumes and snapshots: at creation and later. It owns their limits.

It must never tag half of a call's resources: all ids are looked up first. Other kinds of resources are moto's.

"Tag your Amazon EC2 resources", tag restrictions (AWSEC2/latest/UserGuide/Using_Tags.html): 50 a resource, keys to 128
characters, values to 256, the prefix aws: is reserved.
"""

from urllib.parse import urlencode

from .. import beneath
from ..call import Call
from ..errors import AwsError, bad_value, missing
from . import find
from .request import Request, instance_id

_MOST = 50
_KEY_LENGTH, _VALUE_LENGTH = 128, 256


def of_creation(request: Request, *kinds: str) -> dict[str, dict]:
    """The tags for each kind of resource that the call creates. API_TagSpecification."""
    found: dict[str, dict] = {kind: {} for kind in kinds}
    for specification in request.items("TagSpecification"):
        kind = specification.get("ResourceType", "")
        if kind not in kinds:
            raise bad_value(f"'{kind}' is not a valid taggable resource type for this operation.")
        found[kind].update(_checked(specification.get("Tag", [])))
    for each in found.values():
        _few_enough(each)
    return found


def _checked(given: list) -> dict[str, str]:
    tags: dict[str, str] = {}
    for tag in given:
        key, value = tag.get("Key", ""), tag.get("Value", "")
        if not key or len(key) > _KEY_LENGTH or len(value) > _VALUE_LENGTH:
            raise bad_value(
                f"Tag key exceeds {_KEY_LENGTH} or value {_VALUE_LENGTH} characters, or the key is empty: '{key}'"
            )
        if key.lower().startswith("aws:"):
            raise bad_value(f"Tag keys starting with 'aws:' are reserved for internal use: '{key}'")
        if key in tags:
            raise bad_value(f"Duplicate tag key '{key}' specified.")
        tags[key] = value
    return tags


def _few_enough(tags: dict) -> None:
    if len(tags) > _MOST:
        raise AwsError("TagLimitExceeded", f"A resource can have at most {_MOST} tags.")


def _ours(request: Request) -> tuple[list, list[str]]:
    """What the call names: our things, and the ids of moto's."""
    ids = request.items("ResourceId")
    if not ids:
        raise missing("resourceIdSet")
    ours, others = [], []
    for each in ids:
        if each.startswith("i-"):
            ours += find.instances(request, [instance_id(each)])
        elif each.startswith("vol-"):
            ours.append(find.volume(request, each))
        elif each.startswith("snap-"):
            ours.append(find.snapshot(request, each))
        else:
            others.append(each)
    return ours, others


def create_tags(request: Request) -> dict:
    ours, others = _ours(request)
    wanted = _checked(request.items("Tag"))
    for thing in ours:
        _few_enough({**thing.tags, **wanted})
    _pass_on(request, others)
    for thing in ours:
        thing.tags.update(wanted)
        thing.remember(request.now)
    return {"return": True}


def delete_tags(request: Request) -> dict:
    """API_DeleteTags: a value, when given, must match; without tags, all user-defined tags go."""
    ours, others = _ours(request)
    _pass_on(request, others)
    for thing in ours:
        for tag in request.items("Tag") or [{"Key": key} for key in thing.tags]:
            if "Value" not in tag or thing.tags.get(tag["Key"]) == tag["Value"]:
                thing.tags.pop(tag["Key"], None)
        thing.remember(request.now)
    return {"return": True}


def _pass_on(request: Request, ids: list[str]) -> None:
    """Have moto do the same to what is its own."""
    if not ids:
        return
    call = request.call
    flat = {name: value for name, value in call.flat.items() if not name.startswith("ResourceId.")}
    flat.update({f"ResourceId.{n}": each for n, each in enumerate(ids, 1)})
    body = urlencode({"Action": call.action, "Version": "2016-11-15", **flat}).encode()
    status, _, answer = beneath.forward(
        Call(call.service, call.region, call.action, {}, flat, "POST", "/", call.headers, body)
    )
    if status != 200:
        raise bad_value("The ID is not valid: " + answer.decode("utf-8", "replace")[:500])


_TAG_FILTERS = ("key", "value", "resource-id", "resource-type")


def describe_tags(request: Request) -> dict:
    request.know_only("Filter", "MaxResults", "NextToken")
    wanted: dict[str, list[str]] = {}
    for given in request.items("Filter"):
        if given.get("Name") not in _TAG_FILTERS:
            raise bad_value(f"The filter '{given.get('Name')}' is invalid")
        wanted[given["Name"]] = given.get("Value", [])
    rows = [
        {"resourceId": thing.id, "resourceType": kind, "key": key, "value": value}
        for kind, things in (
            ("instance", request.region.instances),
            ("volume", request.region.volumes),
            ("snapshot", request.region.snapshots),
        )
        for thing in things.values()
        if find.born(request, thing) and getattr(thing, "status", "") != "gone"
        for key, value in thing.tags.items()
    ]
    names = {"key": "key", "value": "value", "resource-id": "resourceId", "resource-type": "resourceType"}
    rows = [row for row in rows if all(row[names[name]] in values for name, values in wanted.items())]
    for row in beneath.network(request.region.name).describe_tags(filters=wanted):
        rows.append(
            {
                "resourceId": row["resource_id"],
                "resourceType": row["resource_type"],
                "key": row["key"],
                "value": row["value"],
            }
        )
    return {"tagSet": rows}
