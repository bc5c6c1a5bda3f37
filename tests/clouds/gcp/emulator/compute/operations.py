"""Operations: what was asked for, how far it is, and why it failed. It owns request ids.

Source: Compute Engine documentation, "Handle API responses" (operations and their errors inside a 200), and the
parameter `requestId` of every change. That a request id that is used again with another request is refused, and how,
is assumed.
"""

import json
import re
import uuid

from ..errors import ApiError, invalid
from ..world import Shown, new_number, stamp

# "The request ID must be a valid UUID with the exception that zero UUID is not supported." Remembered for an hour at least.
REMEMBERED = 3600.0


def once(change):
    """Around every change: a request id that was seen before gives its operation, and changes nothing."""

    def around(world, call) -> dict:
        again = _replayed(world, call)
        return again if again is not None else change(world, call).body

    return around


def _replayed(world, call) -> dict | None:
    """The operation of an earlier request with this id."""
    wanted = call.query.get("requestId")
    if wanted is None:
        return None
    try:
        if uuid.UUID(wanted).int == 0 or not re.fullmatch(r"[0-9a-fA-F-]{36}", wanted):
            raise ValueError
    except ValueError:
        raise invalid(f"Invalid value for field 'requestId': '{wanted}'. It must be a valid UUID.") from None
    known = world.requests.get(wanted)
    if known is None or known[0] + REMEMBERED < world.now():
        return None
    _, fingerprint, operation = known
    if fingerprint != _fingerprint(call):
        raise ApiError(409, "requestIdMismatch", f"The request id {wanted} was used for another request.")
    return operation.body


def _fingerprint(call) -> str:
    query = {name: value for name, value in call.query.items() if name != "requestId"}
    return json.dumps([call.action, sorted(call.path.items()), query, call.body], sort_keys=True)


def begin(world, call, kind: str, link: str, target_id: str) -> Shown:
    """A new operation, of the zone or, where the call names none, of the project; `finish` ends it."""
    now = world.now()
    place = call.zone or world.globe
    number = new_number()
    name = f"operation-{int(now * 1000)}-{uuid.uuid4().hex[:13]}"
    body = {
        "kind": "compute#operation",
        "id": number,
        "name": name,
        **({"zone": call.zone.link()} if call.zone else {}),
        "operationType": kind,
        "targetLink": link,
        "targetId": target_id,
        "status": "PENDING",
        "user": "emulated@example.com",
        "progress": 0,
        "insertTime": stamp(now),
        "selfLink": place.link("operations", name),
    }
    if "requestId" in call.query:
        body["clientOperationId"] = call.query["requestId"]
    operation = Shown(now, body)
    place.operations[name] = operation
    if "requestId" in call.query:
        world.requests[call.query["requestId"]] = (now, _fingerprint(call), operation)

    def run(at: float) -> None:
        if body["status"] == "PENDING":
            body.update(status="RUNNING", startTime=stamp(at), progress=10)
            operation.show(at)

    operation.show(now)
    world.after(now + world.settings.settle * 0.2, run)
    return operation


def finish(operation: Shown, at: float, error: tuple | None = None) -> None:
    """Its end, with an error where there is one: code, message, the HTTP status that it would have been, details."""
    body = operation.body
    body.update(status="DONE", progress=100, endTime=stamp(at))
    body.setdefault("startTime", stamp(at))
    if error:
        code, message, http, details = error
        body["error"] = {"errors": [{"code": code, "message": message, "errorDetails": details}]}
        body["httpErrorStatusCode"] = http
        body["httpErrorMessage"] = {403: "FORBIDDEN", 503: "SERVICE UNAVAILABLE"}.get(http, "BAD REQUEST")
    operation.show(at)


def finish_later(world, operation: Shown, error: tuple | None = None) -> None:
    """What it asked for is done; the operation itself takes its time."""
    world.after(world.now() + world.settings.settle, lambda at: finish(operation, at, error))
    world.settle()
