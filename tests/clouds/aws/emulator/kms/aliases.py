"""Aliases: the names of keys. It owns their form and the rule that each is there once in a region.

It must never let an alias point at a key of another region.

API_CreateAlias: AlreadyExistsException, InvalidAliasNameException, "cannot begin with alias/aws/"; key-state.html:
a key pending deletion gets no alias (KMSInvalidStateException), and may lose one.
"""

import re

from ..errors import AwsError
from ..world import ACCOUNT
from .request import Request, invalid

_FORM = re.compile(r"^alias/[a-zA-Z0-9/_-]{1,250}$")


def _name(request: Request) -> str:
    name = request.params.get("AliasName")
    if not isinstance(name, str) or not name.startswith("alias/"):
        raise invalid("Value at 'aliasName' failed to satisfy constraint: must begin with alias/")
    if not _FORM.match(name):
        raise AwsError("InvalidAliasNameException", "Alias contains invalid characters or is too long")
    if name.startswith("alias/aws/"):
        raise AwsError("InvalidAliasNameException", "Alias names beginning with alias/aws/ are reserved")
    return name


def _arn(request: Request, name: str) -> str:
    return f"arn:aws:kms:{request.region.name}:{ACCOUNT}:{name}"


def create_alias(request: Request) -> dict:
    name, key = _name(request), request.key("TargetKeyId")
    if name in request.region.aliases:
        raise AwsError("AlreadyExistsException", f"An alias with the name {_arn(request, name)} already exists")
    key.refuse_if_pending_deletion()
    request.region.aliases[name] = key.id
    return {}


def update_alias(request: Request) -> dict:
    """API_UpdateAlias: both keys "must be the same type [...] and must have the same key usage"."""
    name, key = _name(request), request.key("TargetKeyId")
    _known(request, name)
    key.refuse_if_pending_deletion()
    before = request.region.keys[request.region.aliases[name]]
    if (before.spec, before.usage) != (key.spec, key.usage):
        raise AwsError("ValidationException", "The alias's current and new keys are of different types")
    request.region.aliases[name] = key.id
    return {}


def delete_alias(request: Request) -> dict:
    name = _name(request)
    _known(request, name)
    del request.region.aliases[name]
    return {}


def _known(request: Request, name: str) -> None:
    if name not in request.region.aliases:
        raise AwsError("NotFoundException", f"Alias {_arn(request, name)} is not found.")


def list_aliases(request: Request) -> dict:
    """API_ListAliases: all of the region, or those of one key."""
    wanted = request.key().id if "KeyId" in request.params else None
    rows = [
        {
            "AliasName": name,
            "AliasArn": _arn(request, name),
            "TargetKeyId": key_id,
            "CreationDate": request.region.keys[key_id].created,
            "LastUpdatedDate": request.region.keys[key_id].created,
        }
        for name, key_id in request.region.aliases.items()
        if wanted in (None, key_id)
    ]
    return request.page(rows, "Aliases", 50, 100)
