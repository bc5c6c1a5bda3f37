"""A snapshot of a volume, with the states that it goes through by itself. It owns that machine of states.

It must never hold data, nor change with the volume that it was taken of: it keeps the volume's disk as it was then.

"How Amazon EBS snapshots work" (ebs/latest/userguide/how_snapshots_work.html): pending, then completed; it outlives its
volume. API_Snapshot.html has the fields.
"""

from .. import render
from ..world import ACCOUNT, Timed, new_id

PROGRESS = {"pending": "0%", "completed": "100%"}


class Snapshot(Timed):
    """`disk` is the volume's at the moment of the snapshot (see `devices.Disk`). `gone` is what is no longer shown."""

    def __init__(self, volume, description: str, tags: dict, number: int, now: float):
        super().__init__(now, "pending", tags)
        self.id = new_id("snap")
        self.number = number
        self.volume_id = volume.id
        self.disk = volume.disk
        self.description = description
        self.remember(now)

    @property
    def status(self) -> str:
        return self.shown

    # The steps.

    def become_completed(self, at: float) -> None:
        self.show(at, "completed")

    def become_gone(self, at: float) -> None:
        self.due.clear()
        self.show(at, "gone")

    def summary(self) -> dict:
        """For the control API."""
        return {
            "id": self.id, "status": self.status, "volume": self.volume_id, "size_gib": self.disk.size,
            "encrypted": self.disk.encrypted, "key": self.disk.key, "tags": dict(self.tags),
            "description": self.description,
        }  # fmt: skip

    def described(self, state: str) -> dict:
        return {
            "snapshotId": self.id, "volumeId": self.volume_id, "status": state, "startTime": render.stamp(self.born),
            "progress": PROGRESS[state], "ownerId": ACCOUNT, "volumeSize": self.disk.size,
            "description": self.description, "encrypted": self.disk.encrypted, "kmsKeyId": self.disk.key,
            "tagSet": [{"key": k, "value": v} for k, v in self.tags.items()], "storageTier": "standard",
        }  # fmt: skip
