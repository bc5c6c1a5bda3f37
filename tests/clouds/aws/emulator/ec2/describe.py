"""DescribeInstances, DescribeVolumes and their small relatives. It owns what is listed, to whom and as of when.

It must never change anything, except that time passes.
"""

from .. import images
from ..errors import bad_value
from ..world import ACCOUNT
from . import filters, find
from .instance import CODES, Instance
from .request import Request, instance_id, volume_id
from .volume import Volume

_PAGING = ("Filter", "MaxResults", "NextToken", "IncludeManagedResources")


def _yes(value: bool) -> tuple[str]:
    return ("true" if value else "false",)


_INSTANCE_FILTERS = {
    "instance-id": lambda i, s: (i.id,),
    "client-token": lambda i, s: (i.launch.token or "",),
    "instance-state-name": lambda i, s: (s,),
    "instance-state-code": lambda i, s: (str(CODES[s]),),
    "instance-type": lambda i, s: (i.launch.machine,),
    "availability-zone": lambda i, s: (i.zone,),
    "subnet-id": lambda i, s: () if s == "terminated" else (i.launch.subnet,),
    "vpc-id": lambda i, s: () if s == "terminated" else (i.launch.vpc,),
    "image-id": lambda i, s: (i.launch.image,),
    "architecture": lambda i, s: (i.launch.architecture,),
    "reservation-id": lambda i, s: (i.reservation.id,),
    "private-ip-address": lambda i, s: (i.address,),
    "instance.group-id": lambda i, s: tuple(i.launch.groups),
    "block-device-mapping.volume-id": lambda i, s: tuple(v.id for v in i.volumes()),
    "metadata-options.http-tokens": lambda i, s: (i.launch.metadata["httpTokens"],),
}
_VOLUME_FILTERS = {
    "volume-id": lambda v, s: (v.id,),
    "status": lambda v, s: (s.status,),
    "encrypted": lambda v, s: _yes(v.disk.encrypted),
    "availability-zone": lambda v, s: (v.zone,),
    "size": lambda v, s: (str(v.disk.size),),
    "volume-type": lambda v, s: (v.disk.kind,),
    "snapshot-id": lambda v, s: (v.disk.snapshot,),
    "attachment.instance-id": lambda v, s: (s.attachment.instance_id,) if s.attachment else (),
    "attachment.status": lambda v, s: (s.attachment.state,) if s.attachment else (),
    "attachment.device": lambda v, s: (s.attachment.device,) if s.attachment else (),
    "attachment.delete-on-termination": lambda v, s: _yes(s.attachment.delete_on_termination) if s.attachment else (),
}
_IMAGE_FILTERS = {
    "image-id": lambda image, s: (image["imageId"],),
    "architecture": lambda image, s: (image["architecture"],),
    "name": lambda image, s: (image["name"],),
    "state": lambda image, s: ("available",),
}


def _listed_instances(request: Request, ids: list[str]) -> list[tuple[Instance, str]]:
    if ids:
        return [(each, each.state) for each in sorted(find.instances(request, ids), key=lambda i: i.number)]
    moment, shown_for = request.now - request.age, request.world.settings.terminated_visible
    return [each for each in find.listed(request, request.region.instances) if each[0].visible(moment, shown_for)]


def describe_instances(request: Request) -> dict:
    request.know_only("InstanceId", *_PAGING)
    ids = list(dict.fromkeys(request.instance_ids()))
    tests = filters.parse(request, _INSTANCE_FILTERS)
    found = [each for each in _listed_instances(request, ids) if all(test(*each) for test in tests)]
    shown, after = filters.page(request, found, bool(ids))
    reservations: dict = {}
    for instance, state in shown:
        reservations.setdefault(instance.reservation, []).append((instance, state))
    return {"reservationSet": [each.described(members) for each, members in reservations.items()], "nextToken": after}


def describe_instance_status(request: Request) -> dict:
    """Running instances only, unless IncludeAllInstances (API_DescribeInstanceStatus)."""
    request.know_only("InstanceId", "IncludeAllInstances", *_PAGING)
    ids = list(dict.fromkeys(request.instance_ids()))
    tests = filters.parse(request, _INSTANCE_FILTERS)
    everyone = request.flag("IncludeAllInstances")
    found = [
        (instance, state)
        for instance, state in _listed_instances(request, ids)
        if (everyone or state == "running") and all(test(instance, state) for test in tests)
    ]
    shown, after = filters.page(request, found, bool(ids))
    rows = [
        {
            "instanceId": instance.id,
            "availabilityZone": instance.zone,
            "instanceState": {"code": CODES[state], "name": state},
            "systemStatus": {"status": "ok" if state == "running" else "not-applicable"},
            "instanceStatus": {"status": "ok" if state == "running" else "not-applicable"},
        }
        for instance, state in shown
    ]
    return {"instanceStatusSet": rows, "nextToken": after}


def describe_instance_attribute(request: Request) -> dict:
    request.know_only("InstanceId", "Attribute")
    instance = find.instances(request, [instance_id(request.needed("InstanceId"))])[0]
    name, launch = request.needed("Attribute"), instance.launch
    values = {
        "userData": {"value": launch.user_data},
        "instanceType": {"value": launch.machine},
        "rootDeviceName": {"value": images.ROOT_DEVICE},
        "disableApiTermination": {"value": False},
        "ebsOptimized": {"value": launch.ebs_optimized},
        "groupSet": [{"groupId": each} for each in launch.groups],
        "blockDeviceMapping": [volume.attachment.in_instance(volume.id) for volume in instance.volumes()],
    }
    if name not in values:
        raise bad_value(f"Value ({name}) for parameter attribute is invalid.")
    return {"instanceId": instance.id, name: values[name]}


def describe_volumes(request: Request) -> dict:
    request.know_only("VolumeId", *_PAGING)
    ids = [volume_id(each) for each in dict.fromkeys(request.items("VolumeId"))]
    tests = filters.parse(request, _VOLUME_FILTERS)
    found = [each for each in _listed_volumes(request, ids) if all(test(*each) for test in tests)]
    shown, after = filters.page(request, found, bool(ids))
    return {"volumeSet": [volume.described(state) for volume, state in shown], "nextToken": after}


def _listed_volumes(request: Request, ids: list[str]) -> list[tuple[Volume, object]]:
    if ids:
        found = [find.volume(request, each) for each in ids]
        return [(each, each.shown) for each in sorted(found, key=lambda v: v.number)]
    return [each for each in find.listed(request, request.region.volumes) if each[1].status != "gone"]


def describe_images(request: Request) -> dict:
    request.know_only("ImageId", "Owner", "ExecutableBy", "IncludeDeprecated", "IncludeDisabled", *_PAGING)
    rows = [_image(request.region.name, architecture) for architecture in images.ARCHITECTURES]
    ids = request.items("ImageId")
    for each in ids:
        images.resolve(request.region.name, each)
    tests = filters.parse(request, _IMAGE_FILTERS)
    return {
        "imagesSet": [
            row for row in rows if (not ids or row["imageId"] in ids) and all(test(row, None) for test in tests)
        ]
    }


def _image(region: str, architecture: str) -> dict:
    ebs = {"snapshotId": images.snapshot_id(region, architecture), "volumeSize": images.ROOT_SIZE_GIB, "volumeType": "gp3",
           "deleteOnTermination": True, "encrypted": False}  # fmt: skip
    return {
        "imageId": images.image_id(region, architecture), "imageLocation": f"amazon/al2023-emulated-{architecture}",
        "imageState": "available", "imageOwnerId": ACCOUNT, "isPublic": True, "architecture": architecture,
        "imageType": "machine", "imageOwnerAlias": "amazon", "name": f"al2023-emulated-{architecture}",
        "rootDeviceType": "ebs", "rootDeviceName": images.ROOT_DEVICE, "virtualizationType": "hvm", "hypervisor": "xen",
        "enaSupport": True, "bootMode": "uefi-preferred", "creationDate": "2026-01-01T00:00:00.000Z",
        "blockDeviceMapping": [{"deviceName": images.ROOT_DEVICE, "ebs": ebs}],
    }  # fmt: skip
