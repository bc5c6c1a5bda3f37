"""Finding what a caller names by id. It owns the rule of who is visible to whom and when.

It must never return what the caller could not see yet: EC2 is eventually consistent, so a new id may be "not found" for
a while ("Eventual consistency in the Amazon EC2 API", ec2/latest/devguide/eventual-consistency.html).
"""

from ..errors import instance_not_found, volume_not_found
from .instance import Instance
from .request import Request, volume_id
from .volume import Volume


def born(request: Request, thing) -> bool:
    return request.now - thing.born >= request.world.settings.visibility_lag


def instances(request: Request, ids: list[str]) -> list[Instance]:
    """All of them, or an error that names all that are missing."""
    known = request.region.instances
    shown_for = request.world.settings.terminated_visible
    lost = [
        each
        for each in ids
        if each not in known or not born(request, known[each]) or not known[each].visible(request.now, shown_for)
    ]
    if lost:
        raise instance_not_found(lost)
    return [known[each] for each in ids]


def volume(request: Request, given: str) -> Volume:
    found = request.region.volumes.get(volume_id(given))
    if found is None or found.status == "gone" or not born(request, found):
        raise volume_not_found(given)
    return found
