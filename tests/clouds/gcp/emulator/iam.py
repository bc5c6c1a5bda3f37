"""IAM policies of instances and of the tunnels to them: conditional bindings that end at a time, and who would be let in by them.
It owns their etags.

It must never evaluate another condition than an end in time: such a policy is refused. Sources: IAM documentation, "Allow policies"
(etag and read-modify-write: 409 ABORTED; version 3 where there are conditions; a reader of an older version sees a role with `_withcond_`
in the place of a condition), "Configure temporary access" (request.time); Compute Engine documentation, "About OS Login" and "Set up OS
Login" (both roles, enable-oslogin); Identity-Aware Proxy documentation, "Using IAP for TCP forwarding" (the role of a tunnel). That the
tunnel's policy outlives the instance is assumed: it makes who closes look there, too.
"""

import base64
import datetime
import hashlib
import re

from .errors import ApiError, invalid
from .kms.policies import check_member, check_role

LOGIN = {"roles/compute.osLogin", "roles/compute.osAdminLogin"}
TUNNEL = "roles/iap.tunnelResourceAccessor"
_END = re.compile(r'request\.time < timestamp\("(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"\)')


def get(world, name: str, version: int) -> dict:
    policy = world.policies.get(name, {"bindings": [], "version": 1, "number": 0})
    bindings = policy["bindings"]
    if version < 3:
        bindings = [_older(binding) for binding in bindings]
    shown = {"etag": _etag(policy["number"]), "version": policy["version"] if version >= 3 else 1}
    return {**shown, **({"bindings": bindings} if bindings else {})}


def put(world, name: str, wanted: dict | None) -> dict:
    if wanted is None:
        raise invalid("policy is required")
    number = world.policies.get(name, {"number": 0})["number"]
    if wanted.get("etag") and wanted["etag"] != _etag(number):
        raise ApiError(409, "aborted", "There were concurrent policy changes. Please retry the whole read-modify-write.", "ABORTED")
    version, bindings = wanted.get("version", 1), wanted.get("bindings", [])
    for binding in bindings:
        check_role(binding)
        for member in binding.get("members", []):
            check_member(member)
        condition = binding.get("condition")
        if condition is None:
            continue
        if version != 3:
            raise invalid("Conditions can't be set on a policy with version less than 3.")
        if not condition.get("title"):
            raise invalid("A condition has a title.")
        if not _END.fullmatch(condition.get("expression", "")):
            raise ApiError(501, "notImplemented", "only an end in time is emulated", "UNIMPLEMENTED")
    world.policies[name] = {"bindings": bindings, "version": version, "number": number + 1}
    return get(world, name, 3)


def holds(world, name: str, member: str, roles: set[str]) -> bool:
    """Whether that policy gives the member one of the roles now."""
    return any(
        binding["role"] in roles and member in binding.get("members", []) and _is_now(world, binding.get("condition"))
        for binding in world.policies.get(name, {"bindings": []})["bindings"]
    )


def _is_now(world, condition: dict | None) -> bool:
    if condition is None:
        return True
    end = datetime.datetime.fromisoformat(_END.fullmatch(condition["expression"])[1].replace("Z", "+00:00"))
    return world.now() < end.timestamp()


def _older(binding: dict) -> dict:
    condition = binding.get("condition")
    if condition is None:
        return binding
    mark = hashlib.sha256(condition["expression"].encode()).hexdigest()[:20]
    return {"role": f"{binding['role']}_withcond_{mark}", "members": binding.get("members", [])}


def _etag(number: int) -> str:
    return base64.b64encode(f"policy {number}".encode()).decode()


def of_instance(body: dict) -> str:
    return f"instance {body['id']}"


def of_tunnel(zone: str, instance: str) -> str:
    return f"tunnel {zone} {instance}"


def may_enter(world, zone: str, instance: str, member: str) -> bool:
    """Whether `gcloud compute ssh --tunnel-through-iap` would let them in now."""
    place = world.zone(zone)
    held = place.instances.get(instance) if place else None
    if held is None or held.body["status"] != "RUNNING":
        return False
    metadata = {item["key"]: item["value"] for item in held.body.get("metadata", {}).get("items", [])}
    return (
        metadata.get("enable-oslogin", "").upper() == "TRUE"
        and holds(world, of_instance(held.body), member, LOGIN)
        and holds(world, of_tunnel(zone, instance), member, {TUNNEL})
    )
