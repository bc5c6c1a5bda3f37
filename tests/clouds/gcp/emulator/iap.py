"""Identity-Aware Proxy: the policies of tunnels to instances, and nothing else. It owns the form of their names.

Source: IAP API reference, `v1.getIamPolicy` and `v1.setIamPolicy`; the resource as Terraform's google provider names it
(`google_iap_tunnel_instance_iam`).
"""

import re
from urllib.parse import quote

from . import iam
from .catalog import PROJECT, PROJECT_NUMBER
from .errors import ApiError, invalid

_PATH = re.compile(r"/v1/(projects/[^/]+/iap_tunnel/.+):(getIamPolicy|setIamPolicy)")
_RESOURCE = re.compile(r"projects/([^/]+)/iap_tunnel/zones/([^/]+)/instances/([^/]+)")


def takes(path: str) -> bool:
    return _PATH.fullmatch(path) is not None


def flat(path: str) -> str:
    """The path as the description has it: the resource is one part."""
    resource, verb = _PATH.fullmatch(path).groups()
    return f"/v1/{quote(resource, safe='')}:{verb}"


def answer(world, call) -> dict:
    found = _RESOURCE.fullmatch(call.path["v1Id"])
    if found is None:
        raise ApiError(501, "notImplemented", "only tunnels to instances are emulated", "UNIMPLEMENTED")
    project, zone, instance = found.groups()
    if project not in (PROJECT, PROJECT_NUMBER):
        raise ApiError(403, "forbidden", f"Permission iap.tunnelInstances denied for projects/{project}")
    with world.lock:
        world.settle()
        if world.zone(zone) is None:
            raise invalid(f"Unknown zone {zone}.")
        name = iam.of_tunnel(zone, instance)
        if call.action == "iap.setIamPolicy":
            return iam.put(world, name, call.body.get("policy"))
        options = call.body.get("options", {})
        return iam.get(world, name, options.get("requestedPolicyVersion", 1))
