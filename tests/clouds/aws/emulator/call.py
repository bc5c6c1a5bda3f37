"""One request to the cloud, taken apart: service, region, action, parameters. It owns the parsing of both protocols.

It must never judge the request, beyond whether it asks for a listing. Signatures are not verified (any credentials will
do), but a request must be signed: that is where region and service come from (Signature Version 4, "credential scope").
"""

import dataclasses
import json
import re
from urllib.parse import parse_qsl

from loopback.faults import TRUTH, Lie

_SCOPE = re.compile(r"Credential=([^/]*)/\d{8}/([^/]+)/([^/]+)/aws4_request")
# The listings, and what names single things in the same call: a parameter, and the filter that says the same.
_LISTINGS = {
    "DescribeInstances": ("InstanceId", "instance-id"),
    "DescribeInstanceStatus": ("InstanceId", "instance-id"),
    "DescribeVolumes": ("VolumeId", "volume-id"),
    "DescribeSnapshots": ("SnapshotId", "snapshot-id"),
    "ListKeys": (None, None),
}


@dataclasses.dataclass(slots=True)
class Call:
    service: str
    region: str
    action: str
    params: dict  # KMS: the JSON body. EC2: nested, lists where the names carry numbers
    flat: dict  # EC2 only: the parameters as they were sent
    method: str
    target: str
    headers: dict
    body: bytes
    access_key: str = ""  # of whoever signed it
    lie: Lie = TRUTH  # by a rule: how this listing lies

    @property
    def token(self) -> str | None:
        return self.params.get("ClientToken")

    @property
    def is_listing(self) -> bool:
        """Whether it asks what there is, with tag filters or without, and not for things that it names by their ids."""
        if self.action not in _LISTINGS:
            return False
        parameter, name = _LISTINGS[self.action]
        filters = self.params.get("Filter", [])
        filters = filters if isinstance(filters, list) else []
        return parameter not in self.params and all(each.get("Name") != name for each in filters)


def parse(method: str, target: str, headers: dict, body: bytes) -> Call | None:
    """None when the request carries no signature to read a region from."""
    scope = _SCOPE.search(headers.get("authorization", ""))
    if scope is None:
        return None
    access_key, region, service = scope.groups()
    flat: dict = {}
    amz_target = headers.get("x-amz-target")
    if amz_target:
        action = amz_target.rpartition(".")[2]
        params = _json(body)
    else:
        query = target.partition("?")[2]
        flat = dict(parse_qsl(query + "&" + body.decode("utf-8", "replace"), keep_blank_values=True))
        action = flat.pop("Action", method)
        flat.pop("Version", None)
        params = nest(flat)
    return Call(service, region, action, params, flat, method, target, headers, body, access_key)


def _json(body: bytes) -> dict:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def nest(flat: dict) -> dict:
    """`Filter.1.Name=x` becomes {"Filter": [{"Name": "x"}]}."""
    root: dict = {}
    for name, value in flat.items():
        at = root
        *path, last = name.split(".")
        for part in path:
            below = at.get(part)
            if not isinstance(below, dict):
                below = at[part] = {}
            at = below
        at[last] = value
    return _listed(root)


def _listed(node):
    if not isinstance(node, dict):
        return node
    if node and all(key.isdigit() for key in node):
        return [_listed(node[key]) for key in sorted(node, key=int)]
    return {key: _listed(value) for key, value in node.items()}
