"""Finding a key by id, ARN, alias or alias ARN. It owns what a region knows.

It must never find a key of another region or account.
"""

import re

from ..errors import AwsError
from ..world import ACCOUNT, Region, World
from .key import Key

_UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def lookup(region: Region, named: str) -> Key | None:
    """API_DescribeKey, KeyId: the four forms."""
    if named.startswith("arn:"):
        head, _, named = named.partition(f":{ACCOUNT}:")
        if head != f"arn:aws:kms:{region.name}":
            return None
        named = named.removeprefix("key/")
    if named.startswith("alias/"):
        return region.keys.get(region.aliases.get(named, ""))
    return region.keys.get(named)


def key(world: World, region: Region, named, aliases: bool = False) -> Key:
    """The key, for our caller. Most operations take no alias ("To specify a KMS key, use its key ID or key ARN")."""
    if not isinstance(named, str) or not named:
        raise AwsError(
            "ValidationException", "1 validation error detected: Value at 'keyId' failed to satisfy constraint"
        )
    is_alias = "alias/" in named
    if is_alias and not aliases:
        raise AwsError("NotFoundException", f"Invalid keyId '{named}'")
    found = lookup(region, named)
    if found is None:
        if is_alias:
            full = named if named.startswith("arn:") else f"arn:aws:kms:{region.name}:{ACCOUNT}:{named}"
            raise AwsError("NotFoundException", f"Alias {full} is not found.")
        if not named.startswith("arn:") and not _UUID.match(named):
            raise AwsError("NotFoundException", f"Invalid keyId '{named}'")
        raise AwsError("NotFoundException", f"Key '{named}' does not exist")
    if found.id in world.denied_keys:
        # "Common Errors" of the KMS API reference: AccessDeniedException, status 400.
        text = f"User: arn:aws:iam::{ACCOUNT}:user/emulated is not authorized to access this resource: {found.arn}"
        raise AwsError("AccessDeniedException", text)
    return found
