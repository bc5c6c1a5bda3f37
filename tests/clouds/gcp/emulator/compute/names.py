"""Names, labels and references of Compute Engine, as a request may give them. It owns their patterns.

It must never make or change a resource. Sources: API reference, "Resource names" (RFC 1035), "Labels" (requirements).
"""

import base64
import os
import re

from .. import catalog
from ..errors import ApiError, invalid, not_found

_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_HOST = r"(?:https?://[^/]+/compute/v1/)?"


def fingerprint() -> str:
    """What changes with every change; URL-safe base64, and sometimes shows it."""
    return base64.urlsafe_b64encode(os.urandom(6)).decode()


def check_name(name: str, field: str) -> str:
    if not _NAME.fullmatch(name or ""):
        raise invalid(f"Invalid value for field '{field}': '{name}'. Must be a match of regex '{_NAME.pattern}'")
    return name


def check_labels(labels: dict) -> dict:
    if len(labels) > 64:
        raise invalid("Invalid value for field 'labels': at most 64 labels")
    for key, value in labels.items():
        if not _LABEL.fullmatch(key):
            raise invalid(f"Invalid value for field 'labels': key '{key}'")
        if not _VALUE.fullmatch(value):
            raise invalid(f"Invalid value for field 'labels.{key}': '{value}'")
    return dict(labels)


def last(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def placed(path: str | None, zone, collection: str, field: str) -> str:
    """The name at the end of a URL, which must be of that zone and collection."""
    found = re.fullmatch(rf"{_HOST}(?:projects/([^/]+)/)?zones/([^/]+)/{collection}/([^/]+)", path or "")
    if not found:
        raise invalid(f"Invalid value for field '{field}': '{path}'. The URL is malformed.")
    project, place, name = found.groups()
    if place != zone.name:
        raise invalid(f"Invalid value for field '{field}': '{path}'. It must be in zone {zone.name}.")
    if project not in (None, catalog.PROJECT, catalog.PROJECT_NUMBER):
        raise ApiError(403, "forbidden", f"Required permission for 'projects/{project}'")
    return name


def subnetwork(zone, wanted: dict, field: str) -> None:
    """There is the automatic network, with one subnetwork a region ("VPC networks", auto mode).

    That another is a 404: cloudfoundry/bosh-bootloader issue 166.
    """
    network, subnet = wanted.get("network"), wanted.get("subnetwork")
    if network:
        found = re.fullmatch(rf"{_HOST}(?:projects/([^/]+)/)?global/networks/([^/]+)", network)
        if not found:
            raise invalid(f"Invalid value for field '{field}.network': '{network}'. The URL is malformed.")
        if found[2] != "default" or found[1] not in (None, catalog.PROJECT):
            raise not_found(network)
    if subnet:
        found = re.fullmatch(rf"{_HOST}(?:projects/([^/]+)/)?regions/([^/]+)/subnetworks/([^/]+)", subnet)
        if not found:
            raise invalid(f"Invalid value for field '{field}.subnetwork': '{subnet}'. The URL is malformed.")
        if found[2] != zone.region:
            raise invalid(
                f"Invalid value for field '{field}.subnetwork': '{subnet}'. It must be in region {zone.region}."
            )
        if found[3] != "default" or found[1] not in (None, catalog.PROJECT):
            raise not_found(subnet)


def find(world, call, collection: str, field: str):
    """By name or by number. What is too young to be shown is not found."""
    wanted, place = call.path[field], call.zone or world.globe
    held = getattr(place, collection)
    found = held.get(wanted) or next((shown for shown in held.values() if shown.body["id"] == wanted), None)
    if found is None or found.born + world.settings.visibility_lag > world.now():
        where = f"zones/{place.name}" if call.zone else place.name
        raise not_found(f"projects/{catalog.PROJECT}/{where}/{collection}/{wanted}")
    return found


def only_emulated(call_body: dict, schema: dict, emulated: set, field: str) -> None:
    """What is not emulated is refused and never ignored; what is output only is ignored, as Google does."""
    for name in call_body:
        about = schema["properties"].get(name, {})
        silent = about.get("readOnly") or re.match(r"\[?Output Only", about.get("description", ""), re.IGNORECASE)
        if name not in emulated and not silent:
            raise ApiError(501, "notImplemented", f"'{field}.{name}' is not emulated")
