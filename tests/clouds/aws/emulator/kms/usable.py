"""Whether EC2 can use a key for a volume. It owns the reasons that EC2 gives, later, when it cannot.

It must never raise: the call that named the key has succeeded by then.

API_CreateVolume, KmsKeyId: "authenticates the KMS key asynchronously. Therefore, if you specify an ID, alias, or ARN
that is not valid, the action can appear to complete, but eventually fails." EBS takes symmetric encryption keys only.

The codes: API_StateReason has Client.InternalError, "A client error caused the instance to terminate during launch";
AWS re:Post shows it, with the message "Client.InternalError: Client error on launch", for a key without permission
(knowledge center, "encrypted-volumes-stops-immediately" and "kms-iam-ec2-permission"). The message
"Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state" was seen with the transition reason
Client.InternalError (hashicorp/packer issue 12683, CiscoDevNet/cloud-cml issue 8), and openshift/osd-network-verifier
names it as a code; it is not in AWS's own list. People also met it with enabled keys that lacked a grant, so that the
line between the two codes, as it is drawn here (state or kind: InvalidState; permission or unknown: InternalError), is ours.
"""

import hashlib

from ..world import ACCOUNT, Region, World
from . import find
from .key import Key

INVALID_STATE = (
    "Client.InvalidKMSKey.InvalidState",
    "Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state",
)
INTERNAL = ("Client.InternalError", "Client.InternalError: Client error on launch")


def default_key(region: str) -> str:
    """The account's AWS managed key for EBS, alias/aws/ebs: it always works."""
    h = hashlib.sha1(f"ebs {region}".encode()).hexdigest()
    return f"arn:aws:kms:{region}:{ACCOUNT}:key/{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:32]}"


def examine(world: World, region: Region, named: str) -> tuple[str, tuple[str, str] | None]:
    """The ARN that a volume shows, and why the key cannot be used, or None when it can."""
    key = find.lookup(region, named)
    return (named if key is None else key.arn), _fault(world, key)


def fault_of_volume(world: World, region: Region, volume) -> tuple[str, str] | None:
    """The same for a volume that exists: its key is needed again when it is attached or its instance starts."""
    key = volume.disk.key
    if key is None or key == default_key(region.name):
        return None
    return _fault(world, find.lookup(region, key))


def _fault(world: World, key: Key | None) -> tuple[str, str] | None:
    if key is None or key.id in world.denied_keys:
        return INTERNAL
    if key.state != "Enabled" or key.usage != "ENCRYPT_DECRYPT" or key.spec != "SYMMETRIC_DEFAULT":
        return INVALID_STATE
    return None
