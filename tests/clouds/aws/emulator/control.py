"""The control API under /_emulator/: what tests read and turn. It owns its paths and their JSON.

It must never be counted as a call to the cloud, and never be slow: a reset happens before every test case.
"""

import json

from loopback.faults import KINDS

from . import beneath, images
from .ec2 import network

PREFIX = "/_emulator/"


def answer(front, method: str, target: str, body: bytes) -> tuple[int, dict, bytes]:
    path = target.partition("?")[0].removeprefix(PREFIX).strip("/")
    try:
        wanted = json.loads(body) if body.strip() else None
        status, found = 200, _routed(front, method, path, wanted)
    except (ValueError, TypeError, KeyError) as error:
        status, found = 400, {"error": str(error)}
    except LookupError as error:
        status, found = 404, {"error": str(error)}
    return status, {"content-type": "application/json"}, json.dumps(found).encode()


def _routed(front, method: str, path: str, wanted):
    world = front.world
    match method, path.split("/"):
        case "GET", ["healthz"]:
            return {"ok": True}
        case "GET", ["calls"]:
            return front.ledger.show()
        case "GET", ["settings"]:
            return world.settings.show()
        case "GET", ["rules"]:
            return front.rules.show()
        case "GET", ["capacity"]:
            return world.capacity_out
        case "GET", ["state"]:
            return _state(world)
        case "GET", ["regions", region]:
            return {
                "images": images.images(region),
                "parameters": images.parameters(region),
                **network.defaults(region),
            }
        case "POST", ["reset"]:
            return _reset(front, bool(_object(wanted or {}).get("keep_settings", False)))
        case "POST", ["reset-calls"]:
            front.ledger.clear()
        case "POST", ["settings"]:
            with world.lock:
                world.settings.change(_object(wanted))
            return world.settings.show()
        case "POST", ["advance"]:
            _advance(world, _object(wanted))
        case "POST", ["rules"]:
            front.rules.replace(_list(wanted))
        case "POST", ["capacity"]:
            holes = _list(wanted)
            for hole in holes:
                if set(hole) - {"region", "zone", "type"}:
                    raise ValueError("a hole in capacity has region, zone and type, each optional")
            with world.lock:
                world.capacity_out = holes
        case "POST", ["principals"]:
            with world.lock:
                world.principals.update({str(key): str(arn) for key, arn in _object(wanted).items()})
        case "POST", ["deny-key"]:
            _deny(world, _object(wanted))
        case _:
            raise _missing(method, path)
    return {"ok": True}


def _missing(method: str, path: str) -> LookupError:
    return IndexError(f"no {method} {PREFIX}{path}; faults are {', '.join(KINDS)}; see tests/clouds/README.md")


def _object(wanted) -> dict:
    if not isinstance(wanted, dict):
        raise ValueError("a JSON object is wanted")
    return wanted


def _list(wanted) -> list:
    if not isinstance(wanted, list) or not all(isinstance(each, dict) for each in wanted):
        raise ValueError("a JSON list of objects is wanted")
    return wanted


def _reset(front, keep_settings: bool) -> dict:
    with front.world.lock:
        front.world.wipe()
        if not keep_settings:
            front.world.settings.restore()
        front.rules.replace([])
        front.ledger.clear()
    beneath.reset()
    return {"ok": True}


def _deny(world, wanted: dict) -> None:
    """Deny a key, by id or ARN, to our caller; {"deny": false} takes that back."""
    key_id = str(wanted["key"]).rpartition("/")[2]
    with world.lock:
        if wanted.get("deny", True):
            world.denied_keys.add(key_id)
        else:
            world.denied_keys.discard(key_id)


def _advance(world, wanted: dict) -> None:
    """Put the clouds' clock forward, so that a test need not wait for what takes time."""
    secs = float(wanted["secs"])
    if secs < 0:
        raise ValueError("time goes forward only: secs from 0")
    with world.lock:
        world.ahead += secs


def _state(world) -> dict:
    with world.lock:
        return {"regions": {name: _region(world.region(name)) for name in sorted(world.regions)}}


def _region(region) -> dict:
    live = [i for i in region.instances.values() if i.state != "terminated"]
    return {
        "instances": [instance.summary() for instance in live],
        "volumes": [volume.summary() for volume in region.volumes.values() if volume.status != "gone"],
        "snapshots": [snapshot.summary() for snapshot in region.snapshots.values() if snapshot.status != "gone"],
        "keys": [key.summary() for key in region.keys.values()],
        "aliases": dict(region.aliases),
        "sessions": [session.summary() for session in region.sessions.values() if session.is_on()],
        "terminated": [i.id for i in region.instances.values() if i.state == "terminated"],
    }
