"""Operations: what was asked for, how far it is, and why it failed. It owns request ids.

Source: Compute Engine documentation, "Handle API responses" (operations and their errors inside a 200), and the parameter
`requestId` of every change. That a request id that is used again with another request is refused, and how, is assumed.
"""

import json
import re
import uuid

from ..errors import ApiError, invalid
from ..world import Shown, new_number, stamp

# "The request ID must be a valid UUID with the exception that zero UUID is not supported." Remembered for an hour at least.
REMEMBERED = 3600.0


def replayed(world, call) -> dict | None:
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
    return json.dumps([call.action, sorted(call.path.items()), call.body], sort_keys=True)


def begin(world, call, kind: str, link: str, target_id: str, lasts: float | None = None) -> Shown:
    """A new operation of the zone; `finish` ends it."""
    now = world.now()
    zone = call.zone
    number = new_number()
    name = f"operation-{int(now * 1000)}-{uuid.uuid4().hex[:13]}"
    body = {
        "kind": "compute#operation",
        "id": number,
        "name": name,
        "zone": zone.link().rstrip("/"),
        "operationType": kind,
        "targetLink": link,
        "targetId": target_id,
        "status": "PENDING",
        "user": "emulated@example.com",
        "progress": 0,
        "insertTime": stamp(now),
        "selfLink": zone.link("operations", name),
    }
    if "requestId" in call.query:
        body["clientOperationId"] = call.query["requestId"]
    operation = Shown(now, body)
    zone.operations[name] = operation
    if "requestId" in call.query:
        world.requests[call.query["requestId"]] = (now, _fingerprint(call), operation)
    lasts = world.settings.settle if lasts is None else lasts

    def run(at: float) -> None:
        if body["status"] == "PENDING":
            body.update(status="RUNNING", startTime=stamp(at), progress=10)

    world.after(now + lasts * 0.2, run)
    return operation


def finish(operation: Shown, at: float, error: tuple[str, str, int] | None = None) -> None:
    """Its end, with an error where there is one: code, message, and the HTTP status that it would have been."""
    body = operation.body
    body.update(status="DONE", progress=100, endTime=stamp(at))
    body.setdefault("startTime", stamp(at))
    if error:
        code, message, http = error
        body["error"] = {"errors": [{"code": code, "message": message}]}
        body["httpErrorStatusCode"] = http
        body["httpErrorMessage"] = {403: "FORBIDDEN", 503: "SERVICE UNAVAILABLE"}.get(http, "BAD REQUEST")
