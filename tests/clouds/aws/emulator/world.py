"""The state of the emulated clouds: regions with their instances, volumes, snapshots, keys and aliases. One lock guards
all of it.

It must never answer a request by itself, and never let one region see what another one holds.
"""

import copy
import random
import threading
import time

from .settings import Settings

ACCOUNT = "123456789012"


class Timed:
    """A thing whose state changes by itself at known moments, and that remembers what it looked like before.

    `shown` is its state, `due` are the changes still to come, `history` what it was since when: stale listings read
    that.
    """

    changing: tuple = ("shown", "tags")  # the attributes that a listing shows and that something can change

    def __init__(self, born: float, shown, tags: dict):
        self.born = born
        self.shown = shown
        self.tags = dict(tags)
        self.history: list = []
        self.due: list = []
        self.then: float | None = None  # of a picture: of which moment it is

    def show(self, at: float, shown) -> None:
        self.shown = shown
        self.remember(at)

    def remember(self, at: float) -> None:
        """Something of it has changed."""
        kept = {name: getattr(self, name) for name in self.changing}
        self.history.append((at, {**kept, "tags": dict(self.tags)}))

    def as_of(self, moment: float):
        """A picture of it as it was then; None before it was born."""
        for since, kept in reversed(self.history):
            if since <= moment:
                picture = copy.copy(self)
                picture.__dict__.update(kept, then=moment)
                return picture
        return None

    def after(self, at: float, step) -> None:
        """Have `step(at)` happen then; changes happen in the order in which they were planned."""
        self.due.append((at, step))

    def settle(self, now: float) -> None:
        while self.due and self.due[0][0] <= now:
            at, step = self.due.pop(0)
            step(at)


class Region:
    """What one region holds. Insertion order is order of creation."""

    def __init__(self, name: str):
        self.name = name
        self.instances: dict = {}
        self.volumes: dict = {}
        self.snapshots: dict = {}
        self.attached: dict = {}  # instance id to its volumes by id; `Volume.show` keeps it
        self.tokens: dict = {}
        self.keys: dict = {}
        self.aliases: dict = {}
        self.sessions: dict = {}  # of Session Manager, by their ids
        self._then: tuple = (None, {})  # a moment in the past, and what was attached then

    def attached_then(self, moment: float) -> dict:
        """`attached` as it was then; a listing asks for the same moment again and again."""
        if self._then[0] != moment:
            found: dict = {}
            for volume in self.volumes.values():
                picture = volume.as_of(moment)
                if picture is not None and picture.attachment is not None:
                    found.setdefault(picture.attachment.instance_id, {})[volume.id] = picture
            self._then = (moment, found)
        return self._then[1]

    def settle(self, now: float) -> None:
        for instance in self.instances.values():
            if instance.due:
                instance.settle(now)
        for volume in self.volumes.values():
            if volume.due or volume.grows_at is not None:
                volume.settle(now)
        for snapshot in self.snapshots.values():
            if snapshot.due:
                snapshot.settle(now)


class World:
    """Everything, with the lock. Take `lock` before touching anything in it."""

    def __init__(self, start: dict | None = None):
        self.lock = threading.RLock()
        self.settings = Settings(start)
        self.wipe()

    def now(self) -> float:
        """The clouds' time: the real one, and what a test has added to it."""
        return time.time() + self.ahead

    def wipe(self) -> None:
        self.ahead = 0.0
        self.regions: dict[str, Region] = {}
        self.capacity_out: list[dict] = []
        self.denied_keys: set[str] = set()
        self.principals: dict[str, str] = {}  # whose an access key is, as an ARN: they start sessions by their tag only
        self.sequence = 0

    def region(self, name: str) -> Region:
        """The region as it is now: what was due has happened."""
        region = self.regions.get(name)
        if region is None:
            region = self.regions[name] = Region(name)
        else:
            region.settle(self.now())
        return region

    def next_number(self) -> int:
        self.sequence += 1
        return self.sequence

    def out_of_capacity(self, region: str, zone: str, machine: str) -> bool:
        there = {"region": region, "zone": zone, "type": machine}
        return any(all(there[name] == value for name, value in hole.items()) for hole in self.capacity_out)


_random = random.Random()


def new_id(prefix: str) -> str:
    """An id as EC2 makes them: a prefix and 17 hexadecimal digits."""
    return f"{prefix}-{_random.getrandbits(68):017x}"


def new_uuid() -> str:
    h = f"{_random.getrandbits(128):032x}"
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"
