"""The control API under /_emulator/: what tests read and turn. It owns its paths and their JSON.

It must never be counted as a call to the cloud, and never be slow.
"""

import json

from loopback.faults import KINDS

from . import catalog, iam
from .errors import ApiError
from .kms import keys, policies

PREFIX = "/_emulator/"


def answer(front, method: str, target: str, body: bytes) -> tuple[int, dict, bytes]:
    path = target.partition("?")[0].removeprefix(PREFIX).strip("/")
    try:
        wanted = json.loads(body) if body.strip() else None
        status, found = 200, _routed(front, method, path, wanted)
    except (ValueError, TypeError, KeyError, ApiError) as error:
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
        case "GET", ["project-policy"]:
            return {"bindings": world.project_policy}
        case "GET", ["state"]:
            return _state(world)
        case "GET", ["regions", region]:
            return _region(region)
        case "POST", ["reset"]:
            return _reset(front, bool(_object(wanted or {}).get("keep_settings", False)))
        case "POST", ["reset-calls"]:
            front.ledger.clear()
        case "POST", ["settings"]:
            with world.lock:
                world.settings.change(_object(wanted))
            return world.settings.show()
        case "POST", ["advance"]:
            secs = float(_object(wanted)["secs"])
            if secs < 0:
                raise ValueError("time goes forward only: secs from 0")
            with world.lock:
                world.ahead += secs
                world.settle()
        case "POST", ["rules"]:
            front.rules.replace(_list(wanted))
        case "POST", ["capacity"]:
            holes = _list(wanted)
            if any(set(hole) - {"region", "zone", "type"} for hole in holes):
                raise ValueError("a hole in capacity has region, zone and type, each optional")
            with world.lock:
                world.capacity_out = holes
        case "POST", ["project-policy"]:
            bindings = policies.check_bindings(_list(_object(wanted)["bindings"]))
            with world.lock:
                world.project_policy = bindings
        case "POST", ["enter"]:
            asked = _object(wanted)
            with world.lock:
                world.settle()
                return {"in": iam.may_enter(world, asked["zone"], asked["instance"], asked["member"])}
        case "POST", ["deny-key"]:
            _deny(world, _object(wanted))
        case _:
            raise IndexError(f"no {method} {PREFIX}{path}; faults are {', '.join(KINDS)}; see tests/clouds/README.md")
    return {"ok": True}


def _object(wanted) -> dict:
    if not isinstance(wanted, dict):
        raise ValueError("a JSON object is wanted")
    return wanted


def _list(wanted) -> list:
    if not isinstance(wanted, list) or not all(isinstance(each, dict) for each in wanted):
        raise ValueError("a JSON list of objects is wanted")
    return wanted


def _deny(world, wanted: dict) -> None:
    """Deny a key to Compute Engine's service agent without a change of the policy that is shown."""
    with world.lock:
        change = world.denied_keys.add if wanted.get("deny", True) else world.denied_keys.discard
        change(str(wanted["key"]))


def _region(region: str) -> dict:
    if region not in catalog.REGIONS:
        raise IndexError(f"no region {region}")
    return {
        "project": catalog.PROJECT,
        "project_number": catalog.PROJECT_NUMBER,
        "service_account": catalog.DEFAULT_ACCOUNT,
        "service_agent": catalog.SERVICE_AGENT,
        "images": {
            "x86_64": f"projects/{catalog.PROJECT}/global/images/builder-x86-64",
            "arm64": f"projects/{catalog.PROJECT}/global/images/builder-arm64",
        },
        "families": {
            "x86_64": "projects/debian-cloud/global/images/family/debian-12",
            "arm64": "projects/debian-cloud/global/images/family/debian-12-arm64",
        },
        "network": f"projects/{catalog.PROJECT}/global/networks/default",
        "subnetwork": "default",
        "zones": catalog.REGIONS[region],
    }


def _reset(front, keep_settings: bool) -> dict:
    with front.world.lock:
        front.world.wipe()
        if not keep_settings:
            front.world.settings.restore()
    front.rules.replace([])
    front.ledger.clear()
    return {"ok": True}


def _state(world) -> dict:
    """All that is not gone: machines and disks by zone, snapshots, keys and rings; and the same, but for snapshots, by
    region (or location of Cloud KMS).
    """
    with world.lock:
        world.settle()
        keys.pass_time(world)
        zones = {
            name: {
                kind: [dict(shown.body) for shown in getattr(zone, kind).values()] for kind in ("instances", "disks")
            }
            for name, zone in sorted(world.zones.items())
            if zone.instances or zone.disks
        }
        snapshots = [dict(shown.body) for shown in world.globe.snapshots.values()]
        held = [
            {
                **key.show(),
                "versions": [dict(each) for each in key.versions],
                "policy": world.policies.get(key.name, {}).get("bindings", []),
            }
            for key in world.keys.values()
        ]
        regions: dict = {}

        def at(region: str) -> dict:
            return regions.setdefault(region, {"instances": [], "disks": [], "keys": []})

        for name, zone in zones.items():
            for kind, bodies in zone.items():
                at(catalog.ZONES[name])[kind] += bodies
        for key in held:
            at(key["name"].split("/")[3])["keys"].append(key)
        return {
            "regions": regions,
            "zones": zones,
            "snapshots": snapshots,
            "keys": held,
            "rings": list(world.rings),
        }
