"""RunInstances: the checks of a launch in their order, and the launch. It owns what a launch is made of.

It must never have an effect before the last check has passed: a refused launch leaves nothing.
"""

import base64
import binascii
import dataclasses

from .. import images, machines
from ..errors import AwsError, bad_combination, bad_value, no_capacity
from ..world import ACCOUNT
from . import devices, network, tags, tokens
from .instance import VOLUME_LIMIT, Instance, Reservation
from .request import Request, whole
from .volume import Attachment, Shown, Volume

_KNOWN = (
    "ImageId", "InstanceType", "MinCount", "MaxCount", "ClientToken", "SubnetId", "SecurityGroupId", "Placement",
    "BlockDeviceMapping", "TagSpecification", "MetadataOptions", "IamInstanceProfile", "UserData", "KeyName",
    "EbsOptimized", "NetworkInterface", "InstanceInitiatedShutdownBehavior",
)  # fmt: skip
_INTERFACE = ("DeviceIndex", "SubnetId", "SecurityGroupId", "AssociatePublicIpAddress", "DeleteOnTermination")
_USER_DATA_LIMIT = 16 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Launch:
    """A launch that has passed every check."""

    image: str
    architecture: str
    machine: str
    token: str | None
    subnet: str
    vpc: str
    zone: str
    groups: dict
    disks: list
    metadata: dict
    profile: dict | None
    user_data: str | None
    key_name: str | None
    ebs_optimized: bool
    tags: dict


def run_instances(request: Request) -> dict:
    request.know_only(*_KNOWN)
    image, architecture = images.resolve(request.region.name, request.needed("ImageId"))
    machine = request.text("InstanceType", "m1.small")  # API_RunInstances, InstanceType: "Default: m1.small"
    subnet_id, zone_asked, groups_asked = _where(request)
    place = network.place(request.region.name, subnet_id, zone_asked, machines.zones_of(request.region.name, machine))
    subnet, vpc, zone = place
    scope = zone if subnet_id or zone_asked else None
    made = tokens.replayed(request, scope)
    if made is not None:
        return _again(request, made)
    launch = Launch(
        image=image,
        architecture=architecture,
        machine=machine,
        token=request.text("ClientToken"),
        subnet=subnet,
        vpc=vpc,
        zone=zone,
        groups=network.groups(request.region.name, groups_asked, vpc),
        disks=devices.of_launch(request, architecture),
        metadata=_metadata(request.params.get("MetadataOptions", {})),
        profile=_profile(request.params.get("IamInstanceProfile")),
        user_data=_user_data(request.text("UserData")),
        key_name=request.text("KeyName"),
        ebs_optimized=request.flag("EbsOptimized"),
        tags=tags.of_creation(request, "instance", "volume"),
    )
    machines.check(machine, architecture, request.region.name, zone)
    if request.text("InstanceInitiatedShutdownBehavior", "stop") not in ("stop", "terminate"):
        raise bad_value("Invalid value for InstanceInitiatedShutdownBehavior: stop or terminate.")
    count = _count(request)
    check_vcpus(request, machines.vcpus(machine) * count)
    if request.world.out_of_capacity(request.region.name, zone, machine):
        raise no_capacity(machine, zone)
    reservation = Reservation([_start(request, launch, index) for index in range(count)])
    tokens.remember(request, scope, reservation)
    return reservation.described([(instance, "pending") for instance in reservation.instances])


def _again(request: Request, made: Reservation) -> dict:
    """A replay shows what the first call made, as it is now ("the result might contain updated information").

    errors-overview, IdempotentInstanceTerminated: "The request to launch an instance uses the same client token as a
    previous request for which the instance has been terminated."
    """
    if request.world.settings.terminated_token == "error" and any(i.state == "terminated" for i in made.instances):
        text = "The client token belongs to an instance that has been terminated."
        raise AwsError("IdempotentInstanceTerminated", text)
    return made.described([(instance, instance.state) for instance in made.instances])


def _where(request: Request) -> tuple[str | None, str | None, list[str]]:
    """Subnet, zone and groups, named in the request or in its one network interface.

    API_RunInstances, SubnetId: "If you specify a network interface, you must specify any subnets as part of the network
    interface instead of using this parameter"; the same for SecurityGroupId.
    """
    subnet, groups = request.text("SubnetId"), request.items("SecurityGroupId")
    interfaces = request.items("NetworkInterface")
    if interfaces:
        if subnet or groups:
            raise bad_combination(
                "Network interfaces and an instance-level subnet or security group may not both be given"
            )
        _emulated("NetworkInterface", interfaces[0], _INTERFACE)
        if len(interfaces) > 1:
            raise AwsError("UnsupportedOperation", "the emulator gives an instance one network interface")
        subnet, groups = interfaces[0].get("SubnetId"), interfaces[0].get("SecurityGroupId", [])
    placement = request.params.get("Placement", {})
    _emulated("Placement", placement, ("AvailabilityZone",))
    return subnet, placement.get("AvailabilityZone"), groups


def _emulated(where: str, given: dict, known: tuple) -> None:
    """What is not emulated is refused: to accept and forget it would prove nothing."""
    for name in given:
        if name not in known:
            raise AwsError("UnsupportedOperation", f"the emulator has no {where}.{name}")


def _count(request: Request) -> int:
    low, high = request.number("MinCount", 1), request.number("MaxCount", 1)
    if not 1 <= low <= high:
        raise bad_value(f"Invalid values for minCount and maxCount: {low} and {high}.")
    return high


def check_vcpus(request: Request, more: int) -> None:
    """errors-overview, VcpuLimitExceeded: a client error, checked when the call is made."""
    limit = request.world.settings.max_vcpus
    running = sum(i.vcpus for i in request.region.instances.values() if i.state in ("pending", "running"))
    if limit is not None and running + more > limit:
        text = f"You have requested more vCPU capacity than your current vCPU limit of {limit} allows"
        raise AwsError("VcpuLimitExceeded", text)


def live_volumes(request: Request) -> int:
    return sum(1 for volume in request.region.volumes.values() if volume.status != "gone")


def _start(request: Request, launch: Launch, index: int) -> Instance:
    region, now, end = request.region, request.now, request.settle_at
    limit = request.world.settings.max_volumes
    over_limit = limit is not None and live_volumes(request) + len(launch.disks) > limit
    instance = Instance(region, launch, index, request.world.next_number(), now)
    region.instances[instance.id] = instance
    faults = [disk.key_fault for disk in launch.disks if disk.key_fault]
    if over_limit:
        # API_StateReason: Client.VolumeLimitExceeded is found out after the call has succeeded.
        instance.after(end, instance.fail_launch(VOLUME_LIMIT))
        return instance
    for disk in launch.disks:
        attachment = Attachment(instance.id, disk.device, now, disk.delete_on_termination)
        number = request.world.next_number()
        volume = Volume(region, launch.zone, disk, launch.tags["volume"], number, now, Shown("in-use", attachment))
        volume.after(end, volume.become_attached)
        region.volumes[volume.id] = volume
    instance.after(end, instance.fail_launch(faults[0]) if faults else instance.become_running)
    return instance


def _metadata(given: dict) -> dict:
    """API_InstanceMetadataOptionsRequest: the values, the range of the hop limit (1 to 64).

    Defaults: those of an image and an account without settings: IMDSv1 allowed, one hop.
    """
    known = {"HttpTokens": ("optional", "required"), "HttpEndpoint": ("enabled", "disabled"),
             "HttpProtocolIpv6": ("disabled", "enabled"), "InstanceMetadataTags": ("disabled", "enabled")}  # fmt: skip
    for name, value in given.items():
        if name == "HttpPutResponseHopLimit":
            if not 1 <= whole(value, name) <= 64:
                raise bad_value(f"Invalid value '{value}' for HttpPutResponseHopLimit: 1 to 64.")
        elif value not in known.get(name, ()):
            raise bad_value(f"Invalid value '{value}' for {name}.")
    return {
        "httpTokens": given.get("HttpTokens", "optional"),
        "httpPutResponseHopLimit": int(given.get("HttpPutResponseHopLimit", 1)),
        "httpEndpoint": given.get("HttpEndpoint", "enabled"),
        "httpProtocolIpv6": given.get("HttpProtocolIpv6", "disabled"),
        "instanceMetadataTags": given.get("InstanceMetadataTags", "disabled"),
    }


def _profile(given: dict | None) -> dict | None:
    """Shown, and not checked: the emulator does not ask IAM whether it exists."""
    if not given:
        return None
    if "Name" in given and "Arn" in given:
        raise bad_combination("The parameter 'iamInstanceProfile.name' may not be used with 'iamInstanceProfile.arn'")
    arn = given.get("Arn") or f"arn:aws:iam::{ACCOUNT}:instance-profile/{given['Name']}"
    return {"arn": arn, "id": "AIPAEMULATEDEMULATED0"}


def _user_data(given: str | None) -> str | None:
    """Base64, as it was sent. "User data is limited to 16 KB, in raw form, before it is base64-encoded"
    (AWSEC2/latest/UserGuide/user-data.html)."""
    if given is None:
        return None
    try:
        raw = base64.b64decode(given, validate=True)
    except binascii.Error:
        raise bad_value("Invalid BASE64 encoding of user data") from None
    if len(raw) > _USER_DATA_LIMIT:
        raise bad_value("User data is limited to 16384 bytes")
    return given
