"""Client tokens: a request that is repeated has its effect once. It owns what was asked under which token.

It must never forget one while the process lives, except by a reset: a token whose instance has terminated stays burnt.

"Ensuring idempotency in Amazon EC2 API requests" (ec2/latest/devguide/ec2-api-idempotency.html): the same token with
the same parameters succeeds without further action, with other parameters it is IdempotentParameterMismatch.
RunInstances is zonal when a subnet or a zone is named (the same token in another zone is another launch!), else
regional. API_RunInstances, ClientToken: "Maximum 64 ASCII characters".
"""

from ..errors import AwsError, bad_value
from .request import Request


def replayed(request: Request, zone: str | None):
    """What an earlier call with this token made, or None when there was none."""
    token = request.text("ClientToken")
    if not token:
        return None
    if len(token) > 64 or not token.isascii():
        raise bad_value("Value for parameter clientToken is invalid: at most 64 ASCII characters.")
    known = request.region.tokens.get((request.call.action, token, zone))
    if known is None:
        return None
    parameters, made = known
    if parameters != _parameters(request):
        text = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
        raise AwsError("IdempotentParameterMismatch", text)
    return made


def remember(request: Request, zone: str | None, made) -> None:
    """Only a call that succeeded: the document speaks of retrying "a request that completed successfully"."""
    token = request.text("ClientToken")
    if token:
        request.region.tokens[(request.call.action, token, zone)] = (_parameters(request), made)


def _parameters(request: Request) -> dict:
    return {name: value for name, value in request.call.flat.items() if name != "ClientToken"}
