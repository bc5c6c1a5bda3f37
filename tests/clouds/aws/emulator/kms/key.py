"""A key: its metadata, its states, its policy and tags. It owns what a key can be asked, in which state.

It must never hold key material: nothing is encrypted here.

The states: "Key states of AWS KMS keys" (kms/latest/developerguide/key-state.html), with the table of which operation
works in which state.
"""

from ..errors import AwsError
from ..world import ACCOUNT, new_uuid

_ALGORITHMS = {"SYMMETRIC_DEFAULT": ["SYMMETRIC_DEFAULT"]}


class Key:
    def __init__(self, region: str, usage: str, spec: str, description: str, policy: str, tags: dict, now: float):
        self.id = new_uuid()
        self.region = region
        self.usage = usage
        self.spec = spec
        self.description = description
        self.policy = policy
        self.tags = tags
        self.created = now
        self.state = "Enabled"
        self.deletion_at: float | None = None
        self.rotation = False
        self.rotation_days = 365

    @property
    def arn(self) -> str:
        return f"arn:aws:kms:{self.region}:{ACCOUNT}:key/{self.id}"

    def refuse_if_pending_deletion(self) -> None:
        """The table's X in the column "Pending deletion": KMSInvalidStateException."""
        if self.state == "PendingDeletion":
            raise AwsError("KMSInvalidStateException", f"{self.arn} is pending deletion.")

    def refuse_unless_enabled(self) -> None:
        self.refuse_if_pending_deletion()
        if self.state == "Disabled":
            raise AwsError("DisabledException", f"{self.arn} is disabled.")

    def metadata(self) -> dict:
        """API_KeyMetadata."""
        found = {
            "AWSAccountId": ACCOUNT, "KeyId": self.id, "Arn": self.arn, "CreationDate": self.created,
            "Enabled": self.state == "Enabled", "Description": self.description, "KeyUsage": self.usage,
            "KeyState": self.state, "Origin": "AWS_KMS", "KeyManager": "CUSTOMER", "CustomerMasterKeySpec": self.spec,
            "KeySpec": self.spec, "MultiRegion": False,
        }  # fmt: skip
        if self.usage == "ENCRYPT_DECRYPT":
            found["EncryptionAlgorithms"] = _ALGORITHMS.get(self.spec, ["RSAES_OAEP_SHA_256"])
        if self.deletion_at is not None:
            found["DeletionDate"] = self.deletion_at
        return found

    def summary(self) -> dict:
        """For the control API."""
        return {
            "id": self.id, "arn": self.arn, "state": self.state, "rotation": self.rotation, "description": self.description,
            "policy": self.policy, "tags": dict(self.tags), "usage": self.usage, "spec": self.spec,
        }  # fmt: skip
