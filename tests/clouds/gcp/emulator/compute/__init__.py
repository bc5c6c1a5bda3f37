"""Compute Engine: from a method's name to what does it. What is not here is refused as not implemented."""

from ..catalog import PROJECT
from ..errors import ApiError, not_found
from . import insert, lifecycle, lists, statics

_HANDLERS = {**insert.HANDLERS, **lifecycle.HANDLERS, **lists.HANDLERS, **statics.HANDLERS}
# Projects whose public images anybody may read.
_PUBLIC = {"debian-cloud", "ubuntu-os-cloud"}


def answer(world, call) -> dict:
    handler = _HANDLERS.get(call.action)
    if handler is None:
        raise ApiError(501, "notImplemented", f"{call.action} is not emulated")
    project = call.path.get("project")
    if project != PROJECT and not (project in _PUBLIC and call.action.startswith("images.")):
        raise ApiError(403, "forbidden", f"Required permission for 'projects/{project}'")
    with world.lock:
        world.settle()
        if "zone" in call.path:
            call.zone = world.zone(call.path["zone"])
            if call.zone is None:
                raise not_found(f"projects/{project}/zones/{call.path['zone']}")
        return handler(world, call)
