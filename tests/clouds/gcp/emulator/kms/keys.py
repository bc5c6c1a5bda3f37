"""Crypto keys: making, changing, rotating. It owns a key's versions and which of them is the primary one.

Sources: Cloud KMS REST reference, CryptoKey; "Key rotation"; "Key states"; "Create and manage labels". That a version
which is not enabled can't become the primary one is assumed.
"""

import copy
import re

from ..errors import ApiError, invalid
from .find import check_id, exists, key, missing, moment, ring, seconds, time, wrong_state

_DAY = 86_400
_FIELDS = {"labels", "purpose", "versionTemplate", "rotationPeriod", "nextRotationTime", "destroyScheduledDuration"}
_PATCHED = {"labels": "labels", "rotation_period": "rotationPeriod", "next_rotation_time": "nextRotationTime"}
_DEFAULT = "2592000s"  # 30 days (CryptoKey, destroyScheduledDuration)


class Key:
    def __init__(self, name: str, body: dict, at: float):
        self.name, self.body, self.made = name, body, at
        self.versions: list[dict] = []
        self.primary: str | None = None
        self.history: list = []

    def remember(self, at: float) -> None:
        """It has changed: stale lists read what it was before."""
        self.history.append((at, copy.deepcopy(self.show())))

    def shown_at(self, moment: float) -> dict | None:
        """As it was then; None before it was made."""
        return next((shown for since, shown in reversed(self.history) if since <= moment), None)

    def version(self, name: str) -> dict | None:
        return next((version for version in self.versions if version["name"] == name), None)

    def add(self, at: float) -> dict:
        version = {
            "name": f"{self.name}/cryptoKeyVersions/{len(self.versions) + 1}",
            "state": "ENABLED",
            "protectionLevel": self.body["versionTemplate"]["protectionLevel"],
            "algorithm": self.body["versionTemplate"]["algorithm"],
            "createTime": time(at),
            "generateTime": time(at),
        }
        self.versions.append(version)
        return version

    def show(self) -> dict:
        primary = self.version(self.primary) if self.primary else None
        return {
            "name": self.name,
            **({"primary": primary} if primary else {}),
            **self.body,
            "createTime": time(self.made),
        }


def pass_time(world) -> None:
    """Keys whose time has come get a new primary version; what was to be destroyed is."""
    now = world.now()
    for held in world.keys.values():
        due, period = held.body.get("nextRotationTime"), held.body.get("rotationPeriod")
        while due and period and moment(due) <= now:
            held.primary = held.add(moment(due))["name"]
            held.remember(moment(due))
            due = held.body["nextRotationTime"] = time(moment(due) + seconds(period, "rotationPeriod"))
        for version in held.versions:
            if version["state"] == "DESTROY_SCHEDULED" and moment(version["destroyTime"]) <= now:
                version.update(state="DESTROYED", destroyEventTime=version.pop("destroyTime"))
                held.remember(now)


def _check(world, body: dict) -> None:
    for label, value in body.get("labels", {}).items():
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", label) or not re.fullmatch(r"[a-z0-9_-]{0,63}", value):
            raise invalid(f"label {label}={value} breaks the rules for labels")
    if len(body.get("labels", {})) > 64:
        raise invalid("at most 64 labels")
    period, due = body.get("rotationPeriod"), body.get("nextRotationTime")
    if bool(period) != bool(due):
        raise invalid("rotation_period and next_rotation_time must be set together")
    if period and not _DAY <= seconds(period, "rotationPeriod") <= 876_000 * 3600:
        raise invalid("rotation_period must be between 24 hours and 876,000 hours")
    if due and moment(due) <= world.now():
        raise invalid("next_rotation_time must be in the future")


def _create(world, call) -> dict:
    name = f"{ring(world, call)['name']}/cryptoKeys/{check_id(call, 'cryptoKeyId')}"
    if name in world.keys:
        raise exists("CryptoKey", name)
    body = {field: value for field, value in call.body.items() if field in _FIELDS}
    if set(call.body) - _FIELDS - {"name", "primary", "createTime"}:
        raise ApiError(
            501, "notImplemented", f"{', '.join(sorted(set(call.body) - _FIELDS))}: not emulated", "UNIMPLEMENTED"
        )
    if body.get("purpose", "CRYPTO_KEY_PURPOSE_UNSPECIFIED") == "CRYPTO_KEY_PURPOSE_UNSPECIFIED":
        raise invalid("purpose is required")
    if body["purpose"] != "ENCRYPT_DECRYPT":
        raise ApiError(501, "notImplemented", "only ENCRYPT_DECRYPT is emulated", "UNIMPLEMENTED")
    template = body.get("versionTemplate", {})
    if template.get("algorithm", "GOOGLE_SYMMETRIC_ENCRYPTION") != "GOOGLE_SYMMETRIC_ENCRYPTION":
        raise invalid("the algorithm does not fit the purpose")
    if template.get("protectionLevel", "SOFTWARE") not in ("SOFTWARE", "HSM", "PROTECTION_LEVEL_UNSPECIFIED"):
        raise ApiError(501, "notImplemented", "external keys are not emulated", "UNIMPLEMENTED")
    level = template.get("protectionLevel", "SOFTWARE").replace("PROTECTION_LEVEL_UNSPECIFIED", "SOFTWARE")
    body["versionTemplate"] = {"protectionLevel": level, "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION"}
    _check(world, body)
    if (
        not _DAY
        <= seconds(body.setdefault("destroyScheduledDuration", _DEFAULT), "destroyScheduledDuration")
        <= 120 * _DAY
    ):
        raise invalid("destroy_scheduled_duration must be between 24 hours and 120 days")
    made = world.keys[name] = Key(name, body, world.now())
    if not call.query.get("skipInitialVersionCreation"):
        made.primary = made.add(world.now())["name"]
    made.remember(world.now())
    return made.show()


def _patch(world, call) -> dict:
    held = key(world, call)
    mask = [part for part in call.query.get("updateMask", "").split(",") if part]
    if not mask:
        raise invalid("update_mask is required")
    body, fields = dict(held.body), set()
    for part in mask:
        field = _PATCHED.get(part, part)
        if field not in _PATCHED.values():
            raise invalid(f"update_mask: {part} can't be changed here")
        fields.add(field)
        body.pop(field, None)
        if field in call.body:
            body[field] = call.body[field]
    # What was set before may be past; only what is set now must be right.
    _check(world, body if fields & {"rotationPeriod", "nextRotationTime"} else {"labels": body.get("labels", {})})
    held.body = body
    held.remember(world.now())
    return held.show()


def _primary(world, call) -> dict:
    held = key(world, call)
    name = f"{held.name}/cryptoKeyVersions/{call.body.get('cryptoKeyVersionId')}"
    version = held.version(name)
    if version is None:
        raise missing("CryptoKeyVersion", name)
    if version["state"] != "ENABLED":
        raise wrong_state(f"{name} is not enabled, current state is: {version['state']}.")
    held.primary = name
    held.remember(world.now())
    return held.show()


HANDLERS = {
    "cryptoKeys.create": _create,
    "cryptoKeys.get": lambda world, call: key(world, call).show(),
    "cryptoKeys.patch": _patch,
    "cryptoKeys.updatePrimaryVersion": _primary,
}
