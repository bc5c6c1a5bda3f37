"""Where an instance is put: subnet, security groups, zone. It owns the checks; the data is moto's.

It must never look past the region: what another region has does not exist here.
"""

from .. import beneath
from ..errors import AwsError


def defaults(region: str) -> dict:
    """What a test needs for a configuration: the default subnet of each zone and the default security group."""
    backend = beneath.network(region)
    subnets = {zone: subnet.id for zone, subnet in sorted(backend.get_default_subnets().items())}
    vpc = next(subnet.vpc_id for subnet in backend.get_default_subnets().values())
    group = backend.get_security_group_from_name("default", vpc)
    return {"subnets": subnets, "security_group": group.id, "vpc": vpc}


def place(region: str, subnet_id: str | None, zone: str | None, offered: frozenset[str]) -> tuple[str, str, str]:
    """Subnet, VPC and zone.

    errors-overview: InvalidSubnetID.NotFound. RunInstances, SubnetId: "If you don't specify a subnet ID, we choose a
    default subnet from your default VPC for you", in the zone asked for, or else in one that offers the type.
    """
    backend = beneath.network(region)
    if subnet_id is not None:
        for subnets in backend.subnets.values():
            if subnet_id in subnets:
                subnet = subnets[subnet_id]
                break
        else:
            raise AwsError("InvalidSubnetID.NotFound", f"The subnet ID '{subnet_id}' does not exist")
        if zone is not None and zone != subnet.availability_zone:
            text = f"Availability zone '{zone}' does not match the subnet's, '{subnet.availability_zone}'."
            raise AwsError("InvalidParameterValue", text)
        return subnet.id, subnet.vpc_id, subnet.availability_zone
    known = backend.get_default_subnets()
    if zone is not None and zone not in known:
        raise AwsError("InvalidParameterValue", f"Invalid availability zone: [{zone}]")
    chosen = zone or next((each for each in sorted(known) if each in offered), sorted(known)[0])
    return known[chosen].id, known[chosen].vpc_id, chosen


def check_zone(region: str, zone: str) -> None:
    """errors-overview, InvalidZone.NotFound: "The specified Availability Zone does not exist, or is not available"."""
    if zone not in beneath.network(region).get_default_subnets():
        raise AwsError("InvalidZone.NotFound", f"The zone '{zone}' does not exist.")


def groups(region: str, wanted: list[str], vpc: str) -> dict[str, str]:
    """Id to name. errors-overview: InvalidGroup.NotFound; InvalidParameter: "you can't specify a security group and
    subnet that are in different VPCs"."""
    backend = beneath.network(region)
    if not wanted:
        group = backend.get_security_group_from_name("default", vpc)
        return {group.id: group.name}
    found = {}
    for group_id in wanted:
        group = backend.get_security_group_from_id(group_id)
        if group is None:
            raise AwsError("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
        if group.vpc_id != vpc:
            raise AwsError(
                "InvalidParameter", f"Security group {group_id} and the subnet belong to different networks."
            )
        found[group.id] = group.name
    return found
