"""Cloud KMS: from a method's name to what does it. What is not here is refused as not implemented. Nothing here
encrypts anything.

Source: Cloud KMS REST reference, v1.
"""

from .. import catalog
from ..errors import ApiError, invalid
from . import keys, lists, policies, rings, versions
from .usable import usable

__all__ = ["answer", "usable"]
_HANDLERS = {**rings.HANDLERS, **keys.HANDLERS, **versions.HANDLERS, **policies.HANDLERS, **lists.HANDLERS}


def answer(world, call) -> dict:
    handler = _HANDLERS.get(call.action)
    if handler is None:
        raise ApiError(501, "notImplemented", f"{call.action} is not emulated", "UNIMPLEMENTED")
    project, location = call.path.get("projectsId"), call.path.get("locationsId")
    if project not in (catalog.PROJECT, catalog.PROJECT_NUMBER):
        raise ApiError(403, "forbidden", f"Permission denied on resource project {project} (or it may not exist).")
    call.path["projectsId"] = catalog.PROJECT
    if location not in catalog.REGIONS and location not in catalog.MULTI_REGIONS:
        raise invalid(
            f"The request concerns location '{location}' but was sent to location 'global', or there is no such location."
        )
    with world.lock:
        keys.pass_time(world)
        return _copy(handler(world, call))


def _copy(found):
    if isinstance(found, dict):
        return {name: _copy(value) for name, value in found.items()}
    return [_copy(each) for each in found] if isinstance(found, list) else found
