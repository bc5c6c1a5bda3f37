"""Versions of a key: enabled, disabled, to be destroyed. It owns those changes of state.

Source: Cloud KMS documentation, "Key states" and "Destroy and restore key versions" (a restored version is disabled).
"""

from ..errors import invalid
from .find import key, seconds, time, version, wrong_state


def _create(world, call) -> dict:
    if call.body.get("state", "ENABLED") != "ENABLED":
        raise invalid("state is output only")
    return key(world, call).add(world.now())


def _patch(world, call) -> dict:
    of, held = version(world, call)
    wanted = call.body.get("state")
    if call.query.get("updateMask") != "state" or wanted not in ("ENABLED", "DISABLED"):
        raise invalid("only state can be changed, to ENABLED or DISABLED, with update_mask state")
    if held["state"] not in ("ENABLED", "DISABLED"):
        raise wrong_state(f"{held['name']} is {held['state']}")
    held["state"] = wanted
    of.remember(world.now())
    return held


def _destroy(world, call) -> dict:
    of, held = version(world, call)
    if held["state"] not in ("ENABLED", "DISABLED"):
        raise wrong_state(f"{held['name']} is {held['state']}")
    wait = seconds(of.body["destroyScheduledDuration"], "destroyScheduledDuration")
    held.update(state="DESTROY_SCHEDULED", destroyTime=time(world.now() + wait))
    of.remember(world.now())
    return held


def _restore(world, call) -> dict:
    of, held = version(world, call)
    if held["state"] != "DESTROY_SCHEDULED":
        raise wrong_state(f"{held['name']} is {held['state']}")
    held["state"] = "DISABLED"
    del held["destroyTime"]
    of.remember(world.now())
    return held


HANDLERS = {
    "cryptoKeyVersions.create": _create,
    "cryptoKeyVersions.get": lambda world, call: version(world, call)[1],
    "cryptoKeyVersions.patch": _patch,
    "cryptoKeyVersions.destroy": _destroy,
    "cryptoKeyVersions.restore": _restore,
}
