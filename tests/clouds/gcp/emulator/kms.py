"""Cloud KMS: key rings, keys, versions and their policies. It owns their states.

It must never encrypt anything. Sources: Cloud KMS REST reference; "Key states"; "Rotate keys"; IAM, "Policy".
"""

import base64
import datetime
import re

from . import catalog
from .errors import ApiError, invalid

ROLE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
_ID = re.compile(r"[a-zA-Z0-9_-]{1,63}")


def _time(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _seconds(text: str, field: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?s", text or ""):
        raise invalid(f"Invalid value at '{field}' (Duration), {text!r}")
    return float(text[:-1])


class Key:
    def __init__(self, name: str, body: dict, at: float):
        self.name, self.body, self.made = name, body, at
        self.versions: list[dict] = []
        self.primary: str | None = None

    def version(self, name: str) -> dict | None:
        return next((version for version in self.versions if version["name"] == name), None)

    def add(self, at: float) -> dict:
        version = {
            "name": f"{self.name}/cryptoKeyVersions/{len(self.versions) + 1}",
            "state": "ENABLED",
            "protectionLevel": "SOFTWARE",
            "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION",
            "createTime": _time(at),
            "generateTime": _time(at),
        }
        self.versions.append(version)
        return version

    def show(self) -> dict:
        primary = self.version(self.primary) if self.primary else None
        return {**self.body, "name": self.name, "createTime": _time(self.made), **({"primary": primary} if primary else {})}


def answer(world, call) -> dict:
    location = call.path.get("locationsId")
    if call.path.get("projectsId") != catalog.PROJECT:
        raise ApiError(403, "forbidden", "Permission denied on the project (or it may not exist).")
    if location not in catalog.REGIONS and location not in catalog.MULTI_REGIONS:
        raise invalid(f"Invalid location '{location}'.")
    handler = _HANDLERS.get(call.action)
    if handler is None:
        raise ApiError(501, "notImplemented", f"{call.action} is not emulated", "UNIMPLEMENTED")
    with world.lock:
        _rotate(world)
        return handler(world, call)


def _rotate(world) -> None:
    """Keys whose time has come get a new primary version."""
    now = world.now()
    for key in world.keys.values():
        due, period = key.body.get("nextRotationTime"), key.body.get("rotationPeriod")
        while due and period and datetime.datetime.fromisoformat(due).timestamp() <= now:
            moment = datetime.datetime.fromisoformat(due).timestamp()
            key.primary = key.add(moment)["name"]
            due = key.body["nextRotationTime"] = _time(moment + _seconds(period, "rotationPeriod"))


def _parent(call) -> str:
    return f"projects/{call.path['projectsId']}/locations/{call.path['locationsId']}"


def _ring_name(call) -> str:
    return f"{_parent(call)}/keyRings/{call.path['keyRingsId']}"


def _key_name(call) -> str:
    return f"{_ring_name(call)}/cryptoKeys/{call.path['cryptoKeysId']}"


def _missing(name: str) -> ApiError:
    return ApiError(404, "notFound", f"{name} not found.", "NOT_FOUND")


def _ring(world, call) -> dict:
    name = _ring_name(call)
    if name not in world.rings:
        raise _missing(f"KeyRing {name}")
    return world.rings[name]


def _key(world, call) -> Key:
    name = _key_name(call)
    if name not in world.keys:
        raise _missing(f"CryptoKey {name}")
    return world.keys[name]


def _version(world, call) -> tuple[Key, dict]:
    key = _key(world, call)
    version = key.version(f"{key.name}/cryptoKeyVersions/{call.path['cryptoKeyVersionsId']}")
    if version is None:
        raise _missing("CryptoKeyVersion")
    return key, version


def _create_ring(world, call) -> dict:
    wanted = call.query.get("keyRingId", "")
    if not _ID.fullmatch(wanted):
        raise invalid("keyRingId must match [a-zA-Z0-9_-]{1,63}")
    name = f"{_parent(call)}/keyRings/{wanted}"
    if name in world.rings:
        raise ApiError(409, "", f"KeyRing {name} already exists.", "ALREADY_EXISTS")
    world.rings[name] = {"name": name, "createTime": _time(world.now())}
    return world.rings[name]


def _schedule(world, body: dict) -> None:
    period, due = body.get("rotationPeriod"), body.get("nextRotationTime")
    if bool(period) != bool(due):
        raise invalid("rotation_period and next_rotation_time must be set together")
    if period:
        if not 86_400 <= _seconds(period, "rotationPeriod") <= 876_000 * 3600:
            raise invalid("rotation_period must be between 1 day and 876,000 hours")
        if datetime.datetime.fromisoformat(due).timestamp() <= world.now():
            raise invalid("next_rotation_time must be in the future")


def _create_key(world, call) -> dict:
    _ring(world, call)
    wanted = call.query.get("cryptoKeyId", "")
    if not _ID.fullmatch(wanted):
        raise invalid("cryptoKeyId must match [a-zA-Z0-9_-]{1,63}")
    name = f"{_ring_name(call)}/cryptoKeys/{wanted}"
    if name in world.keys:
        raise ApiError(409, "", f"CryptoKey {name} already exists.", "ALREADY_EXISTS")
    body = dict(call.body)
    if body.get("purpose") != "ENCRYPT_DECRYPT":
        raise invalid("purpose is required; only ENCRYPT_DECRYPT is emulated")
    if body.get("versionTemplate", {}).get("algorithm") not in ("GOOGLE_SYMMETRIC_ENCRYPTION", None):
        raise invalid("the algorithm does not fit the purpose")
    _labels(body.get("labels", {}))
    _schedule(world, body)
    scheduled = body.setdefault("destroyScheduledDuration", "2592000s")
    if not 86_400 <= _seconds(scheduled, "destroyScheduledDuration") <= 120 * 86_400:
        raise invalid("destroy_scheduled_duration must be between 24 hours and 120 days")
    body.setdefault("versionTemplate", {"protectionLevel": "SOFTWARE", "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION"})
    key = Key(name, body, world.now())
    if not call.query.get("skipInitialVersionCreation"):
        key.primary = key.add(world.now())["name"]
    world.keys[name] = key
    return key.show()


def _labels(labels: dict) -> None:
    for key, value in labels.items():
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key) or not re.fullmatch(r"[a-z0-9_-]{0,63}", value):
            raise invalid(f"label {key}={value} breaks the rules for labels")
    if len(labels) > 64:
        raise invalid("at most 64 labels")


def _patch_key(world, call) -> dict:
    key = _key(world, call)
    mask = [part.strip() for part in call.query.get("updateMask", "").split(",") if part.strip()]
    if not mask:
        raise invalid("update_mask is required")
    names = {"labels": "labels", "rotation_period": "rotationPeriod", "rotationPeriod": "rotationPeriod",
             "next_rotation_time": "nextRotationTime", "nextRotationTime": "nextRotationTime"}  # fmt: skip
    body = dict(key.body)
    for part in mask:
        if part not in names:
            raise invalid(f"update_mask: {part} can't be changed")
        field = names[part]
        if field in call.body:
            body[field] = call.body[field]
        else:
            body.pop(field, None)
    _labels(body.get("labels", {}))
    if "rotationPeriod" in {names[part] for part in mask}:
        _schedule(world, body)
    key.body = body
    return key.show()


def _primary(world, call) -> dict:
    key = _key(world, call)
    version = key.version(f"{key.name}/cryptoKeyVersions/{call.body.get('cryptoKeyVersionId')}")
    if version is None:
        raise _missing("CryptoKeyVersion")
    key.primary = version["name"]
    return key.show()


def _create_version(world, call) -> dict:
    return _key(world, call).add(world.now())


def _patch_version(world, call) -> dict:
    _, version = _version(world, call)
    wanted = call.body.get("state")
    if call.query.get("updateMask") != "state" or wanted not in ("ENABLED", "DISABLED"):
        raise invalid("only state can be changed, to ENABLED or DISABLED")
    if version["state"] not in ("ENABLED", "DISABLED"):
        raise ApiError(400, "", f"the version is {version['state']}", "FAILED_PRECONDITION")
    version["state"] = wanted
    return version


def _destroy(world, call) -> dict:
    key, version = _version(world, call)
    if version["state"] in ("DESTROY_SCHEDULED", "DESTROYED"):
        raise ApiError(400, "", f"the version is {version['state']}", "FAILED_PRECONDITION")
    version["state"] = "DESTROY_SCHEDULED"
    wait = _seconds(key.body["destroyScheduledDuration"], "destroyScheduledDuration")
    version["destroyTime"] = _time(world.now() + wait)
    return version


def _restore(world, call) -> dict:
    _, version = _version(world, call)
    if version["state"] != "DESTROY_SCHEDULED":
        raise ApiError(400, "", f"the version is {version['state']}", "FAILED_PRECONDITION")
    version["state"] = "DISABLED"
    version.pop("destroyTime", None)
    return version


def _paged(world, call, field: str, items: list) -> dict:
    size = int(call.query.get("pageSize") or 100) or 100
    if world.settings.page_size:
        size = min(size, world.settings.page_size)
    at = int(call.query.get("pageToken") or 0)
    found = {field: items[at : at + size], "totalSize": len(items)}
    if at + size < len(items):
        found["nextPageToken"] = str(at + size)
    return found


def _list_rings(world, call) -> dict:
    parent = _parent(call) + "/"
    return _paged(world, call, "keyRings", [ring for name, ring in world.rings.items() if name.startswith(parent)])


def _list_keys(world, call) -> dict:
    _ring(world, call)
    parent = _ring_name(call) + "/"
    return _paged(world, call, "cryptoKeys", [key.show() for name, key in world.keys.items() if name.startswith(parent)])


def _list_versions(world, call) -> dict:
    return _paged(world, call, "cryptoKeyVersions", _key(world, call).versions)


def _policed(world, call) -> str:
    if "cryptoKeysId" in call.path:
        return _key(world, call).name
    return _ring(world, call)["name"]


def _etag(number: int) -> str:
    return base64.b64encode(f"policy-{number}".encode()).decode()


def _get_policy(world, call) -> dict:
    policy = world.policies.get(_policed(world, call), {"bindings": [], "version": 1, "number": 0})
    shown = {"etag": _etag(policy["number"]), "version": policy["version"]}
    return {**shown, **({"bindings": policy["bindings"]} if policy["bindings"] else {})}


def _set_policy(world, call) -> dict:
    name = _policed(world, call)
    wanted = call.body.get("policy", {})
    held = world.policies.get(name, {"number": 0})
    if wanted.get("etag") and wanted["etag"] != _etag(held["number"]):
        raise ApiError(409, "", "There were concurrent policy changes.", "ABORTED")
    for binding in wanted.get("bindings", []):
        if not binding.get("role", "").startswith(("roles/", "projects/", "organizations/")):
            raise invalid(f"Role {binding.get('role')} is not supported for this resource.")
        for member in binding.get("members", []):
            if ":" not in member and member not in ("allUsers", "allAuthenticatedUsers"):
                raise invalid(f"Invalid member {member}.")
    world.policies[name] = {
        "bindings": wanted.get("bindings", []),
        "version": wanted.get("version", 1),
        "number": held["number"] + 1,
    }
    return _get_policy(world, call)


def _test_permissions(world, call) -> dict:
    _policed(world, call)
    return {"permissions": call.body.get("permissions", [])}


_HANDLERS = {
    "keyRings.create": _create_ring,
    "keyRings.get": lambda world, call: _ring(world, call),
    "keyRings.list": _list_rings,
    "cryptoKeys.create": _create_key,
    "cryptoKeys.get": lambda world, call: _key(world, call).show(),
    "cryptoKeys.list": _list_keys,
    "cryptoKeys.patch": _patch_key,
    "cryptoKeys.updatePrimaryVersion": _primary,
    "cryptoKeyVersions.create": _create_version,
    "cryptoKeyVersions.get": lambda world, call: _version(world, call)[1],
    "cryptoKeyVersions.list": _list_versions,
    "cryptoKeyVersions.patch": _patch_version,
    "cryptoKeyVersions.destroy": _destroy,
    "cryptoKeyVersions.restore": _restore,
    **{f"{kind}.getIamPolicy": _get_policy for kind in ("keyRings", "cryptoKeys")},
    **{f"{kind}.setIamPolicy": _set_policy for kind in ("keyRings", "cryptoKeys")},
    **{f"{kind}.testIamPermissions": _test_permissions for kind in ("keyRings", "cryptoKeys")},
}


def usable(world, key_name: str, region: str, version_name: str | None = None) -> tuple[str | None, str | None]:
    """What Compute Engine finds when it uses a key in a region: the version to use, or what is wrong."""
    name = key_name.split("/cryptoKeyVersions/")[0]
    parts = name.split("/")
    location = parts[3] if len(parts) == 8 and parts[2] == "locations" else None
    if location is None:
        return None, f"'{key_name}' is not the name of a key"
    multi = {"us": "us-", "europe": "europe-"}.get(location)
    if location != region and location != "global" and not (multi and region.startswith(multi)):
        return None, f"Cloud KMS key {name} is in {location}, and can't be used in {region}"
    key = world.keys.get(name)
    if key is None:
        return None, f"Cloud KMS error when using key {name}: it was not found"
    ring = name.split("/cryptoKeys/")[0]
    members = [
        member
        for holder in (name, ring)
        for binding in world.policies.get(holder, {}).get("bindings", [])
        if binding["role"] == ROLE
        for member in binding.get("members", [])
    ]
    if catalog.SERVICE_AGENT not in members or name in world.denied_keys:
        permission = "cloudkms.cryptoKeyVersions.useToEncrypt"
        return None, f"Cloud KMS error when using key {name}: Permission '{permission}' denied on resource '{name}'"
    version = key.version(version_name or key.primary or "")
    if version is None or version["state"] != "ENABLED":
        state = version["state"] if version else "NONE"
        return None, f"Cloud KMS error when using key {name}: its version is not enabled, current state is: {state}."
    return version["name"], None
