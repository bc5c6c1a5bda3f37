"""Finding what a caller names by id. It owns the rule of who is visible to whom and when.

It must never return what the caller could not see yet: EC2 is eventually consistent, so a new id may be "not found" for
a while ("Eventual consistency in the Amazon EC2 API", ec2/latest/devguide/eventual-consistency.html).
"""

from ..errors import instance_not_found, snapshot_not_found, volume_not_found
from .instance import Instance
from .request import Request, snapshot_id, volume_id
from .snapshot import Snapshot
from .volume import Volume


def born(request: Request, thing) -> bool:
    return request.now - thing.born >= request.world.settings.visibility_lag


def listed(request: Request, things: dict) -> list[tuple]:
    """Those that a listing shows, each with its state: all that are born, now or as they were a while ago."""
    age = request.age
    born_ones = [each for each in things.values() if born(request, each)]
    if not age:
        return [(each, each.shown) for each in born_ones]
    pictures = [each.as_of(request.now - age) for each in born_ones]
    return [(each, each.shown) for each in pictures if each is not None]


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


def snapshot(request: Request, given: str) -> Snapshot:
    found = request.region.snapshots.get(snapshot_id(given))
    if found is None or found.status == "gone" or not born(request, found):
        raise snapshot_not_found(given)
    return found
