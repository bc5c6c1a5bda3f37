"""What a request's path names: a ring, a key, a version; and times as Cloud KMS writes them. It must never change
anything.
"""

import datetime
import re

from ..errors import ApiError, invalid

ID = re.compile(r"[a-zA-Z0-9_-]{1,63}")


def time(moment: float) -> str:
    return (
        datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    )


def moment(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def seconds(text: str, field: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?s", text or ""):
        raise invalid(f"Invalid value at '{field}' (Duration), {text!r}")
    return float(text[:-1])


def check_id(call, parameter: str) -> str:
    wanted = call.query.get(parameter, "")
    if not ID.fullmatch(wanted):
        raise invalid(f"{parameter} must match {ID.pattern}, not '{wanted}'")
    return wanted


def parent(call) -> str:
    return f"projects/{call.path['projectsId']}/locations/{call.path['locationsId']}"


def ring(world, call) -> dict:
    name = f"{parent(call)}/keyRings/{call.path['keyRingsId']}"
    if name not in world.rings:
        raise missing("KeyRing", name)
    return world.rings[name]


def key(world, call):
    name = f"{parent(call)}/keyRings/{call.path['keyRingsId']}/cryptoKeys/{call.path['cryptoKeysId']}"
    if name not in world.keys:
        raise missing("CryptoKey", name)
    return world.keys[name]


def version(world, call) -> tuple:
    held = key(world, call)
    name = f"{held.name}/cryptoKeyVersions/{call.path['cryptoKeyVersionsId']}"
    found = held.version(name)
    if found is None:
        raise missing("CryptoKeyVersion", name)
    return held, found


def missing(kind: str, name: str) -> ApiError:
    return ApiError(404, "notFound", f"{kind} {name} not found.")


def exists(kind: str, name: str) -> ApiError:
    return ApiError(409, "alreadyExists", f"{kind} {name} already exists.", "ALREADY_EXISTS")


def wrong_state(what: str) -> ApiError:
    return ApiError(400, "failedPrecondition", what, "FAILED_PRECONDITION")
