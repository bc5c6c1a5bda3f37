"""An instance: what it was launched with, and the states that it goes through by itself. It owns that machine of states.

It must never decide whether a caller may change it; `lifecycle` and `disks` do.

"Amazon EC2 instance state changes" (AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html) has the states and the arrows.
"""

from .. import images, machines, render
from ..world import ACCOUNT, Region, Timed, new_id, new_uuid

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
# StateReason, in the API reference (API_StateReason.html).
STOPPED_BY_USER = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")
VOLUME_LIMIT = ("Client.VolumeLimitExceeded", "Client.VolumeLimitExceeded: Volume limit exceeded")


class Instance(Timed):
    """`launch` is the validated request (see `launch.Launch`)."""

    changing = ("shown", "tags", "launch", "launched_at", "reason", "transition", "terminated_at")

    def __init__(self, region: Region, launch, index: int, number: int, now: float):
        super().__init__(now, "pending", launch.tags["instance"])
        self.id = new_id("i")
        self.number = number
        self.region = region
        self.launch = launch
        self.index = index
        self.launched_at = now
        self.address = f"172.31.{number // 250 % 250}.{number % 250 + 4}"
        self.reached_running = False
        self.reason: tuple[str, str] | None = None
        self.transition = ""
        self.terminated_at: float | None = None
        self.remember(now)

    @property
    def state(self) -> str:
        return self.shown

    @property
    def zone(self) -> str:
        return self.launch.zone

    @property
    def vcpus(self) -> int:
        return machines.vcpus(self.launch.machine)

    def volumes(self) -> list:
        attached = self.region.attached if self.then is None else self.region.attached_then(self.then)
        return sorted(attached.get(self.id, {}).values(), key=lambda volume: volume.number)

    # The steps: each begins a change or ends one.

    def begin(self, state: str, at: float, reason: tuple[str, str] | None = None, transition: str = "") -> None:
        self.due.clear()
        self.reason = reason
        self.transition = transition
        self.show(at, state)

    def become_running(self, at: float) -> None:
        self.reached_running = True
        self.show(at, "running")

    def become_stopped(self, at: float) -> None:
        self.show(at, "stopped")

    def become_terminated(self, at: float) -> None:
        self.terminated_at = at
        self.show(at, "terminated")
        for volume in self.volumes():
            volume.let_go(at)

    def fail_launch(self, reason: tuple[str, str]):
        """A step: the launch fails, asynchronously, with this reason."""

        def step(at: float) -> None:
            self.reason, self.transition = reason, "Client.InternalError"
            self.become_terminated(at)

        return step

    def fail_start(self, reason: tuple[str, str]):
        """A step: the start falls back to stopped, with this reason."""

        def step(at: float) -> None:
            self.reason, self.transition = reason, "Client.InternalError"
            self.become_stopped(at)

        return step

    def visible(self, now: float, terminated_visible: float) -> bool:
        """API_DescribeInstances: "Recently terminated instances might appear in the returned results. This interval is
        usually less than one hour." """
        return self.terminated_at is None or now - self.terminated_at <= terminated_visible

    def summary(self) -> dict:
        """For the control API."""
        return {
            "id": self.id, "state": self.state, "zone": self.zone, "type": self.launch.machine,
            "architecture": self.launch.architecture, "image": self.launch.image, "token": self.launch.token,
            "subnet": self.launch.subnet, "security_groups": list(self.launch.groups),
            "metadata": dict(self.launch.metadata), "reason": self.reason, "tags": dict(self.tags),
            "user_data": self.launch.user_data,
            "volumes": {v.attachment.device: v.id for v in self.volumes()},
        }  # fmt: skip

    def described(self, state: str) -> dict:
        """As DescribeInstances shows it. A terminated one has lost its place in the network and its volumes."""
        launch, gone = self.launch, state == "terminated"
        groups = [{"groupId": each, "groupName": name} for each, name in launch.groups.items()]
        owner = {"code": CODES[state], "name": state}
        return {
            "instanceId": self.id, "imageId": launch.image, "instanceState": owner,
            "privateDnsName": "" if gone else f"ip-{self.address.replace('.', '-')}.{self.region.name}.compute.internal",
            "dnsName": "", "reason": self.transition, "keyName": launch.key_name, "amiLaunchIndex": self.index,
            "productCodes": [], "instanceType": launch.machine, "launchTime": render.stamp(self.launched_at),
            "placement": {"availabilityZone": self.zone, "groupName": "", "tenancy": "default"},
            "monitoring": {"state": "disabled"}, "subnetId": None if gone else launch.subnet,
            "vpcId": None if gone else launch.vpc, "privateIpAddress": None if gone else self.address,
            "sourceDestCheck": None if gone else True, "groupSet": [] if gone else groups,
            "stateReason": {"code": self.reason[0], "message": self.reason[1]} if self.reason else None,
            "architecture": launch.architecture, "rootDeviceType": "ebs", "rootDeviceName": images.ROOT_DEVICE,
            "blockDeviceMapping": [] if gone else [v.attachment.in_instance(v.id) for v in self.volumes()],
            "virtualizationType": "hvm", "clientToken": launch.token or "",
            "tagSet": [{"key": k, "value": v} for k, v in self.tags.items()], "hypervisor": "xen",
            "networkInterfaceSet": [], "iamInstanceProfile": None if gone else launch.profile,
            "ebsOptimized": launch.ebs_optimized, "enaSupport": True, "metadataOptions": self._metadata(),
            "currentInstanceBootMode": "uefi",
        }  # fmt: skip

    def _metadata(self) -> dict:
        return {"state": "applied", **self.launch.metadata}


class Reservation:
    """What one RunInstances made."""

    def __init__(self, instances: list[Instance]):
        self.id = "r-" + new_uuid().replace("-", "")[:17]
        self.instances = instances
        for instance in instances:
            instance.reservation = self

    def described(self, shown: list[tuple[Instance, str]]) -> dict:
        return {
            "reservationId": self.id,
            "ownerId": ACCOUNT,
            "groupSet": [],
            "instancesSet": [instance.described(state) for instance, state in shown],
        }
