"""Session Manager: who may start a session on an instance, which there are, and their end. It owns the sessions of a region.

It must never let in an unknown caller: whoever starts a session has been named to `/_emulator/principals`, and is bound by
`deploy/aws/debug-policy.json`, so that the instance's tag must be their own ARN (Systems Manager User Guide, "Additional sample
IAM policies for Session Manager"). A session outlives its permission; it ends by TerminateSession, or with its instance.
"""

from .call import Call
from .errors import AwsError
from .world import World, new_id

ACCESS = "provisioner:access"
_STATES = ("Active", "History")
_MOST = 200  # API_DescribeSessions, MaxResults


class Session:
    def __init__(self, instance, owner: str, reason: str, now: float):
        self.id = f"{owner.rpartition('/')[2]}-{new_id('s')[2:]}"
        self.instance = instance
        self.owner = owner
        self.reason = reason
        self.began = now
        self.ended: float | None = None

    def is_on(self) -> bool:
        return self.ended is None and self.instance.state == "running"

    def summary(self) -> dict:
        return {"id": self.id, "target": self.instance.id, "owner": self.owner}

    def shown(self) -> dict:
        """API_Session."""
        found = {
            "SessionId": self.id,
            "Target": self.instance.id,
            "Status": "Connected" if self.is_on() else "Terminated",
            "StartDate": self.began,
            "Owner": self.owner,
            "Reason": self.reason,
            "DocumentName": "SSM-SessionManagerRunShell",
        }
        return found if self.ended is None else {**found, "EndDate": self.ended}


def _start(world: World, call: Call) -> dict:
    """API_StartSession: TargetNotConnected where the agent does not answer."""
    region = world.region(call.region)
    instance = region.instances.get(call.params.get("Target", ""))
    who = world.principals.get(call.access_key)
    if who is None or instance is None or instance.tags.get(ACCESS) != who:
        raise AwsError(
            "AccessDeniedException",
            f"User: {who or 'unknown'} is not authorized to perform: ssm:StartSession on resource: "
            f"{call.params.get('Target')} because no identity-based policy allows the ssm:StartSession action",
        )
    if instance.state != "running":
        raise AwsError("TargetNotConnected", f"{instance.id} is not connected.")
    session = Session(instance, who, call.params.get("Reason", ""), world.now())
    region.sessions[session.id] = session
    return {"SessionId": session.id, "TokenValue": "emulated", "StreamUrl": f"wss://ssmmessages.{region.name}/{session.id}"}


def _describe(world: World, call: Call) -> dict:
    """API_DescribeSessions: State is required; of the filters, Target and Owner are known here."""
    state = call.params.get("State")
    if state not in _STATES:
        raise AwsError("ValidationException", f"Value '{state}' at 'state' failed to satisfy constraint: {_STATES}")
    most = call.params.get("MaxResults", _MOST)
    if not 1 <= most <= _MOST:
        raise AwsError("ValidationException", f"Value '{most}' at 'maxResults' failed to satisfy constraint")
    sessions = [s for s in world.region(call.region).sessions.values() if s.is_on() == (state == "Active")]
    for given in call.params.get("Filters", []):
        match given.get("key"):
            case "Target":
                sessions = [session for session in sessions if session.instance.id == given["value"]]
            case "Owner":
                sessions = [session for session in sessions if session.owner == given["value"]]
            case other:
                raise AwsError("InvalidFilterKey", f"the filter {other} is not known here")
    token = call.params.get("NextToken") or "0"
    if not token.isdigit():
        raise AwsError("InvalidNextToken", "The specified token isn't valid.")
    page_size = world.settings.page_size
    size = min(most, page_size) if page_size else most
    begin = int(token)
    found = {"Sessions": [session.shown() for session in sessions[begin : begin + size]]}
    return {**found, "NextToken": str(begin + size)} if len(sessions) > begin + size else found


def _terminate(world: World, call: Call) -> dict:
    """API_TerminateSession answers the id; DoesNotExistException for one that never was."""
    session = world.region(call.region).sessions.get(call.params.get("SessionId", ""))
    if session is None:
        raise AwsError("DoesNotExistException", "The specified session doesn't exist.")
    session.ended = session.ended or world.now()
    return {"SessionId": session.id}


ACTIONS = {"StartSession": _start, "DescribeSessions": _describe, "TerminateSession": _terminate}
