"""Lists: filters, pages, staleness. It owns what is shown when many are asked for.

Source: API reference, `instances.list` and `instances.aggregatedList` (filter, maxResults up to 500, pageToken).
"""

from .. import filters
from ..catalog import PROJECT, ZONES
from ..errors import invalid, not_found
from ..world import link


def _items(world, zone, collection: str) -> list:
    """As a list shows them: late for what is new, and for everything when it is stale."""
    settings, now = world.settings, world.now()
    held = list(getattr(zone, collection).values())
    if collection == "operations":
        return [shown.body for shown in held]
    if settings.stale:
        held += zone.graves[collection]
        shown = [each.shown_at(now - settings.stale) for each in held]
        return [body for body in shown if body]
    return [each.body for each in held if each.born + settings.visibility_lag <= now]


def _page(world, call, items: list) -> tuple[list, str | None]:
    size = int(call.query.get("maxResults") or 500)
    if not 0 <= size <= 500:
        raise invalid("Invalid value for field 'maxResults': it must be from 0 to 500")
    size = min(size or 500, world.settings.page_size or 500)
    token = call.query.get("pageToken") or "0"
    if not token.isdigit():
        raise invalid(f"Invalid value for field 'pageToken': '{token}'.")
    at = int(token)
    return items[at : at + size], str(at + size) if at + size < len(items) else None


_SCHEMAS = {"instances": "Instance", "disks": "Disk", "operations": "Operation"}


def _matching(call, collection: str):
    known = call.document.schemas[_SCHEMAS[collection]]["properties"]
    return filters.compiled(call.query.get("filter"), known)


def _list(collection: str):
    def handler(world, call) -> dict:
        matches = _matching(call, collection)
        items = sorted((item for item in _items(world, call.zone, collection) if matches(item)), key=lambda item: item["name"])
        page, after = _page(world, call, items)
        kind = _SCHEMAS[collection].lower()
        found = {"kind": f"compute#{kind}List", "id": f"projects/{PROJECT}/zones/{call.zone.name}/{collection}", "items": page,
                 "selfLink": call.zone.link(collection)}  # fmt: skip
        return {**found, **({"nextPageToken": after} if after else {})}

    return handler


def _aggregated(collection: str):
    def handler(world, call) -> dict:
        matches = _matching(call, collection)
        rows = []
        for name in sorted(ZONES):
            zone = world.zone(name)
            rows += [(name, item) for item in _items(world, zone, collection) if matches(item)]
        page, after = _page(world, call, rows)
        scopes = {}
        for name in sorted(ZONES):
            mine = [item for place, item in page if place == name]
            warning = {"code": "NO_RESULTS_ON_PAGE", "message": f"There are no results for scope 'zones/{name}' on this page."}
            scopes[f"zones/{name}"] = {collection: mine} if mine else {"warning": warning}
        kind = _SCHEMAS[collection].lower()
        found = {"kind": f"compute#{kind}AggregatedList", "id": f"projects/{PROJECT}/aggregated/{collection}", "items": scopes,
                 "selfLink": link("aggregated", collection)}  # fmt: skip
        return {**found, **({"nextPageToken": after} if after else {})}

    return handler


def _operation(world, call) -> dict:
    held = call.zone.operations.get(call.path["operation"])
    if held is None:
        raise not_found(call.zone.link("operations", call.path["operation"]))
    return held.body


HANDLERS = {
    **{f"{collection}.list": _list(collection) for collection in ("instances", "disks")},
    **{f"{collection}.aggregatedList": _aggregated(collection) for collection in ("instances", "disks")},
    "zoneOperations.list": _list("operations"),
    "zoneOperations.get": _operation,
    "zoneOperations.wait": _operation,
}
