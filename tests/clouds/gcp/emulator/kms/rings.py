"""Key rings. They are made and never deleted ("Key rings": a name is taken for ever)."""

from .find import check_id, exists, parent, ring, time


def _create(world, call) -> dict:
    name = f"{parent(call)}/keyRings/{check_id(call, 'keyRingId')}"
    if name in world.rings:
        raise exists("KeyRing", name)
    world.rings[name] = {"name": name, "createTime": time(world.now())}
    return world.rings[name]


HANDLERS = {"keyRings.create": _create, "keyRings.get": ring}
