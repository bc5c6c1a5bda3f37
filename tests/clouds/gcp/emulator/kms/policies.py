"""IAM policies of key rings and keys. It owns their etags. Nobody's permission to call is checked: only Compute
Engine's use of a key is.

Sources: IAM documentation, "Allow policies" (etag and read-modify-write: 409 ABORTED), Policy resource. That a
service agent of another project number "does not exist" is as IAM says of unknown members.
"""

import base64
import re

from .. import catalog
from ..errors import ApiError, invalid
from .find import key, ring

_MEMBER = re.compile(
    r"(user|group|serviceAccount|domain|principal|principalSet|deleted):.+|allUsers|allAuthenticatedUsers"
)
_AGENT = re.compile(r"serviceAccount:service-(\d+)@compute-system\.iam\.gserviceaccount\.com")
_ROLE = re.compile(r"(projects/[^/]+/|organizations/[^/]+/)?roles/[A-Za-z0-9_.]+")


def check_role(binding: dict) -> None:
    if not _ROLE.fullmatch(binding.get("role", "")):
        raise invalid(f"Role {binding.get('role')} is not supported for this resource.")


def check_member(member: str) -> None:
    if not _MEMBER.fullmatch(member):
        raise invalid(f"Invalid member {member}: it must be type:name.")
    agent = _AGENT.fullmatch(member)
    if agent and agent[1] != catalog.PROJECT_NUMBER:
        raise invalid(f"Service account {member.partition(':')[2]} does not exist.")


def check_bindings(bindings: list) -> list:
    for binding in bindings:
        check_role(binding)
        if binding.get("condition"):
            raise ApiError(501, "notImplemented", "conditions are not emulated", "UNIMPLEMENTED")
        for member in binding.get("members", []):
            check_member(member)
    return bindings


def _name(world, call) -> str:
    return key(world, call).name if "cryptoKeysId" in call.path else ring(world, call)["name"]


def _etag(number: int) -> str:
    return base64.b64encode(f"policy {number}".encode()).decode()


def _get(world, call) -> dict:
    policy = world.policies.get(_name(world, call), {"bindings": [], "version": 1, "number": 0})
    shown = {"etag": _etag(policy["number"]), "version": policy["version"]}
    return {**shown, **({"bindings": policy["bindings"]} if policy["bindings"] else {})}


def _set(world, call) -> dict:
    name, wanted = _name(world, call), call.body.get("policy")
    if wanted is None:
        raise invalid("policy is required")
    number = world.policies.get(name, {"number": 0})["number"]
    if wanted.get("etag") and wanted["etag"] != _etag(number):
        raise ApiError(
            409,
            "aborted",
            "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.",
            "ABORTED",
        )
    bindings = check_bindings(wanted.get("bindings", []))
    world.policies[name] = {"bindings": bindings, "version": wanted.get("version", 1), "number": number + 1}
    return _get(world, call)


def _test(world, call) -> dict:
    _name(world, call)
    wanted = call.body.get("permissions", [])
    if any("*" in permission or not permission.startswith("cloudkms.") for permission in wanted):
        raise invalid("Invalid permission.")
    return {"permissions": wanted}


HANDLERS = {
    f"{kind}.{name}": handler
    for kind in ("keyRings", "cryptoKeys")
    for name, handler in (("getIamPolicy", _get), ("setIamPolicy", _set), ("testIamPermissions", _test))
}
