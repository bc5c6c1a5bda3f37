"""Lists: filters, pages, staleness. It owns what is shown when many are asked for.

Source: API reference, `instances.list` and `instances.aggregatedList` (filter, maxResults up to 500, pageToken).
"""

from .. import filters
from ..catalog import PROJECT, ZONES
from ..errors import invalid, not_found
from ..world import API as _API
from ..world import link


def _items(world, call, zone, collection: str) -> list:
    """As a list shows them: late for what is new, and for everything when it is stale."""
    settings, now = world.settings, world.now()
    held = list(getattr(zone, collection).values())
    age = call.lie.age(settings.stale)
    if age:
        held += zone.graves[collection]
        shown = [each.shown_at(now - age) for each in held]
        return [body for body in shown if body]
    lag = 0 if collection == "operations" else settings.visibility_lag
    return [each.body for each in held if each.born + lag <= now]


def _ordered(call, items: list) -> list:
    """By name, or by creation with the latest first: there are no other orders (`orderBy`)."""
    wanted = call.query.get("orderBy") or "name"
    if wanted == "creationTimestamp desc":
        return sorted(items, key=lambda item: item.get("creationTimestamp") or item.get("insertTime", ""), reverse=True)
    if wanted != "name":
        raise invalid(f"Invalid value for field 'orderBy': '{wanted}'.")
    return sorted(items, key=lambda item: item["name"])


def page_of(world, call, items: list) -> tuple[list, str | None]:
    """One page, and the token of the next one. A listing that lies does so here."""
    size = int(call.query.get("maxResults") or 500)
    if not 0 <= size <= 500:
        raise invalid(f"Invalid value for field 'maxResults': '{size}'. Must be from 0 to 500")
    size = min(size or 500, world.settings.page_size or 500)
    token = call.query.get("pageToken") or "0"
    if not token.isdigit():
        raise invalid(f"Invalid value for field 'pageToken': '{token}'.")
    at = int(token)
    return call.lie.page(items[at : at + size], str(at + size) if at + size < len(items) else None)


_GLOBAL = {"networks", "snapshots"}
_SCHEMAS = {"instances": "Instance", "disks": "Disk", "snapshots": "Snapshot", "operations": "Operation"}


def listed(world, call, collection: str, schema: str, items: list) -> dict:
    """One page of those that the filter lets through."""
    matches = filters.compiled(call.query.get("filter"), call.document.schemas, schema)
    page, after = page_of(world, call, _ordered(call, [item for item in items if matches(item)]))
    where = "/".join(f"{kind}s/{call.path[kind]}" for kind in ("project", "zone", "region") if kind in call.path)
    if collection in _GLOBAL or call.action == "globalOperations.list":
        where += "/global"
    found = {"kind": f"compute#{schema[0].lower()}{schema[1:]}List", "id": f"{where}/{collection}", "items": page,
             "selfLink": f"{_API}/{where}/{collection}"}  # fmt: skip
    return {**found, **({"nextPageToken": after} if after else {})}


def scoped(world, call, collection: str, schema: str, by_zone: dict) -> dict:
    """One page over all zones; a zone that has nothing on it says so."""
    matches = filters.compiled(call.query.get("filter"), call.document.schemas, schema)
    rows = [
        (zone, item)
        for zone, items in by_zone.items()
        for item in _ordered(call, [item for item in items if matches(item)])
    ]
    page, after = page_of(world, call, rows)
    scopes: dict = {}
    for zone in by_zone:
        mine = [item for place, item in page if place == zone]
        message = f"There are no results for scope 'zones/{zone}' on this page."
        told = {"code": "NO_RESULTS_ON_PAGE", "message": message, "data": [{"key": "scope", "value": f"zones/{zone}"}]}
        scopes[f"zones/{zone}"] = {collection: mine} if mine else {"warning": told}
    found = {
        "kind": f"compute#{schema[0].lower()}{schema[1:]}AggregatedList",
        "id": f"projects/{PROJECT}/aggregated/{collection}",
        "items": scopes,
        "selfLink": link("aggregated", collection),
    }
    return {**found, **({"nextPageToken": after} if after else {})}


def _list(collection: str):
    return lambda world, call: listed(
        world, call, collection, _SCHEMAS[collection], _items(world, call, call.zone or world.globe, collection)
    )


def _aggregated(collection: str):
    def handler(world, call) -> dict:
        by_zone = {name: _items(world, call, world.zone(name), collection) for name in sorted(ZONES)}
        return scoped(world, call, collection, _SCHEMAS[collection], by_zone)

    return handler


def operation(world, call) -> dict:
    place = call.zone or world.globe
    held = place.operations.get(call.path["operation"])
    if held is None:
        raise not_found(place.link("operations", call.path["operation"]))
    return held.body


HANDLERS = {
    **{f"{collection}.list": _list(collection) for collection in ("instances", "disks", "snapshots")},
    **{f"{collection}.aggregatedList": _aggregated(collection) for collection in ("instances", "disks")},
    **{f"{kind}Operations.list": _list("operations") for kind in ("zone", "global")},
    **{f"{kind}Operations.{verb}": operation for kind in ("zone", "global") for verb in ("get", "wait")},
}
