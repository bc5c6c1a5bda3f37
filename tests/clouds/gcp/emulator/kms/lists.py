"""Lists of rings, keys and versions: filters and pages. Source: Cloud KMS documentation, "Sorting and filtering list
results".
"""

from .. import filters
from ..errors import ApiError, invalid
from .find import key, parent, ring


def _paged(world, call, field: str, schema: str, items: list) -> dict:
    if (call.query.get("orderBy") or "name") != "name":
        raise ApiError(501, "notImplemented", "orderBy is emulated for name only", "UNIMPLEMENTED")
    matches = filters.compiled(call.query.get("filter"), call.document.schemas, schema)
    items = sorted((item for item in items if matches(item)), key=_by_name)
    size, token = int(call.query.get("pageSize", 0)), call.query.get("pageToken") or "0"
    if size < 0 or not token.isdigit():
        raise invalid("page_size is negative, or page_token is not one that was given")
    size, at = min(size or 100, 1000, world.settings.page_size or 1000), int(token)
    page = items[at : at + size], str(at + size) if at + size < len(items) else None
    shown, after = call.lie.page(*page)
    # A listing that lies does not count what it leaves out.
    found = {"totalSize": len(items) if (shown, after) == page else at + len(shown)}
    if shown:
        found[field] = shown
    if after:
        found["nextPageToken"] = after
    return found


def _by_name(item: dict) -> tuple:
    head, _, last = item["name"].rpartition("/")
    return head, int(last) if last.isdigit() else 0, last


def _rings(world, call) -> dict:
    within = parent(call) + "/"
    return _paged(
        world, call, "keyRings", "KeyRing", [held for name, held in world.rings.items() if name.startswith(within)]
    )


def _keys(world, call) -> dict:
    within = ring(world, call)["name"] + "/"
    return _paged(
        world,
        call,
        "cryptoKeys",
        "CryptoKey",
        _as_listed(world, call, [held for name, held in world.keys.items() if name.startswith(within)]),
    )


def _as_listed(world, call, keys: list) -> list:
    """As they are, or as they were when the list is stale: there is no way to lose one."""
    age = call.lie.age(world.settings.stale)
    if not age:
        return [held.show() for held in keys]
    pictures = [held.shown_at(world.now() - age) for held in keys]
    return [picture for picture in pictures if picture is not None]


def _versions(world, call) -> dict:
    return _paged(world, call, "cryptoKeyVersions", "CryptoKeyVersion", key(world, call).versions)


HANDLERS = {"keyRings.list": _rings, "cryptoKeys.list": _keys, "cryptoKeyVersions.list": _versions}
