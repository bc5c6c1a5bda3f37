"""The SSM parameters that name our images, and the sessions on instances. It owns reads of those; moto has every other parameter.

It must never change one: a public parameter is read-only (Systems Manager User Guide, "Public parameters").
"""

import time

from . import images, sessions
from .call import Call
from .errors import NotOwned
from .world import World

_SINCE = time.time()


def answer(world: World, call: Call) -> dict:
    if call.action in sessions.ACTIONS:
        with world.lock:
            return sessions.ACTIONS[call.action](world, call)
    known = images.parameters(call.region)
    if call.action == "GetParameter" and call.params.get("Name") in known:
        return {"Parameter": _shown(call.region, call.params["Name"], known)}
    names = call.params.get("Names", [])
    if call.action == "GetParameters" and names and all(name in known for name in names):
        return {"Parameters": [_shown(call.region, name, known) for name in names], "InvalidParameters": []}
    raise NotOwned


def _shown(region: str, name: str, known: dict) -> dict:
    return {
        "Name": name,
        "Type": "String",
        "Value": known[name],
        "Version": 1,
        "LastModifiedDate": _SINCE,
        "ARN": f"arn:aws:ssm:{region}::parameter{name}",
        "DataType": "text",
    }
