"""A volume and its attachment, with the states that they go through by themselves. It owns that machine of states.

It must never decide whether a caller may change it; `disks` does.

"Amazon EBS volume lifecycle" (ebs/latest/userguide/ebs-volume-lifecycle.html) has the states; API_VolumeAttachment.html
the attachment's.
"""

import dataclasses

from .. import render
from ..world import Region, Timed, new_id


@dataclasses.dataclass(frozen=True, slots=True)
class Attachment:
    instance_id: str
    device: str
    since: float
    delete_on_termination: bool
    state: str = "attaching"

    def in_volume(self, volume_id: str) -> dict:
        return {
            "volumeId": volume_id, "instanceId": self.instance_id, "device": self.device, "status": self.state,
            "attachTime": render.stamp(self.since), "deleteOnTermination": self.delete_on_termination,
        }  # fmt: skip

    def in_instance(self, volume_id: str) -> dict:
        ebs = {
            "volumeId": volume_id, "status": self.state, "attachTime": render.stamp(self.since),
            "deleteOnTermination": self.delete_on_termination,
        }  # fmt: skip
        return {"deviceName": self.device, "ebs": ebs}


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """What a volume looks like for a while. `gone` is what DescribeVolumes no longer shows."""

    status: str
    attachment: Attachment | None = None


class Volume(Timed):
    """`disk` is the validated request (see `devices.Disk`)."""

    changing = ("shown", "tags", "disk")

    def __init__(self, region: Region, zone: str, disk, tags: dict, number: int, now: float, shown: Shown):
        super().__init__(now, shown, tags)
        self.id = new_id("vol")
        self.number = number
        self.region = region
        self.zone = zone
        self.disk = disk
        self.token: str | None = None
        self.modifications: list = []
        self.grows_at: float | None = None
        self._index(None, shown.attachment)
        self.remember(now)

    def show(self, at: float, shown: Shown) -> None:
        self._index(self.attachment, shown.attachment)
        super().show(at, shown)

    def _index(self, before: Attachment | None, after: Attachment | None) -> None:
        """Keep the region's index of what is attached where."""
        if before is not None:
            self.region.attached[before.instance_id].pop(self.id, None)
        if after is not None:
            self.region.attached.setdefault(after.instance_id, {})[self.id] = self

    @property
    def status(self) -> str:
        return self.shown.status

    @property
    def attachment(self) -> Attachment | None:
        return self.shown.attachment

    # The steps.

    def begin_growing(self, modification) -> None:
        self.modifications.append(modification)
        self.grows_at = modification.takes_effect_at

    def settle(self, now: float) -> None:
        """A modification goes its own way, whatever else becomes of the volume."""
        super().settle(now)
        if self.grows_at is not None and self.grows_at <= now:
            at, self.grows_at = self.grows_at, None
            self.disk = self.modifications[-1].target
            self.remember(max(at, self.history[-1][0]))

    def become_available(self, at: float) -> None:
        self.show(at, Shown("available"))

    def become_gone(self, at: float) -> None:
        self.due.clear()
        self.show(at, Shown("gone"))

    def become_attached(self, at: float) -> None:
        if self.attachment is not None:
            self.show(at, Shown("in-use", dataclasses.replace(self.attachment, state="attached")))

    def begin_attaching(self, attachment: Attachment, at: float) -> None:
        self.show(at, Shown("in-use", attachment))

    def begin_detaching(self, at: float) -> None:
        self.show(at, Shown("in-use", dataclasses.replace(self.attachment, state="detaching")))

    def begin_deleting(self, at: float) -> None:
        self.show(at, Shown("deleting"))

    def let_go(self, at: float) -> None:
        """Its instance has terminated. "Preserve data when an instance is terminated"
        (AWSEC2/latest/UserGuide/preserving-volumes-on-termination.html): DeleteOnTermination decides.

        A volume whose key never worked has never come into being.
        """
        self.due.clear()
        if self.attachment.delete_on_termination or self.disk.key_fault:
            self.become_gone(at)
        else:
            self.become_available(at)

    def summary(self) -> dict:
        """For the control API."""
        disk, attachment = self.disk, self.attachment
        return {
            "id": self.id, "status": self.status, "zone": self.zone, "size_gib": disk.size, "type": disk.kind,
            "iops": disk.iops, "throughput": disk.throughput, "encrypted": disk.encrypted, "key": disk.key,
            "token": self.token, "tags": dict(self.tags),
            "attachment": attachment and {
                "instance": attachment.instance_id, "device": attachment.device, "state": attachment.state,
                "delete_on_termination": attachment.delete_on_termination,
            },
        }  # fmt: skip

    def described(self, shown: Shown) -> dict:
        disk = self.disk
        return {
            "volumeId": self.id, "size": disk.size, "snapshotId": disk.snapshot, "availabilityZone": self.zone,
            "status": shown.status, "createTime": render.stamp(self.born),
            "attachmentSet": [shown.attachment.in_volume(self.id)] if shown.attachment else [],
            "tagSet": [{"key": k, "value": v} for k, v in self.tags.items()], "volumeType": disk.kind,
            "iops": disk.iops, "throughput": disk.throughput, "encrypted": disk.encrypted,
            "kmsKeyId": disk.key if disk.encrypted else None, "multiAttachEnabled": False,
        }  # fmt: skip
