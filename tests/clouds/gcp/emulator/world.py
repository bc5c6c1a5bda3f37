"""The state of the emulated cloud: zones with instances, disks and operations; snapshots, which are the project's; key
rings; policies. One lock guards all of it.

It must never answer a request by itself. What changes with time changes when somebody looks: `settle` does what is
due.
"""

import datetime
import heapq
import itertools
import random
import threading
import time

from .catalog import PROJECT, ZONES
from .settings import Settings

_random = random.Random()
API = "https://www.googleapis.com/compute/v1"


def new_number() -> str:
    """An id as Google gives them: a number of 19 digits, as text."""
    return str(_random.randrange(10**18, 9 * 10**18))


def stamp(moment: float) -> str:
    """RFC 3339 with milliseconds and the offset in which Compute Engine writes."""
    zone = datetime.timezone(datetime.timedelta(hours=-8))
    return datetime.datetime.fromtimestamp(moment, zone).isoformat(timespec="milliseconds")


class Shown:
    """A resource as the API shows it, and what was shown since when: stale lists read that."""

    def __init__(self, born: float, body: dict):
        self.born = born
        self.body = body
        self.history: list = []
        self.is_leaving = False

    def show(self, at: float) -> None:
        self.history.append((at, None if self.body is None else dict(self.body)))

    def gone(self, at: float) -> None:
        self.body = None
        self.show(at)

    def shown_at(self, moment: float) -> dict | None:
        for since, body in reversed(self.history):
            if since <= moment:
                return body
        return None


class Zone:
    def __init__(self, name: str):
        self.name = name
        self.region = ZONES[name]
        self.instances: dict[str, Shown] = {}
        self.disks: dict[str, Shown] = {}
        self.operations: dict[str, Shown] = {}
        self.graves: dict[str, list] = {"instances": [], "disks": [], "operations": []}

    def link(self, *path: str) -> str:
        return link("zones", self.name, *path)


class Globe:
    """What is of the whole project and of no zone."""

    name = "global"

    def __init__(self):
        self.snapshots: dict[str, Shown] = {}
        self.operations: dict[str, Shown] = {}
        self.graves: dict[str, list] = {"snapshots": [], "operations": []}

    def link(self, *path: str) -> str:
        return link("global", *path)


def link(*path: str) -> str:
    return "/".join([f"{API}/projects/{PROJECT}", *path])


def image_link(name: str) -> str:
    """The URL of "projects/P/global/images/NAME"."""
    return f"{API}/{name}"


class World:
    """Everything, with the lock. Take `lock` before touching anything in it."""

    def __init__(self, start: dict | None = None):
        self.lock = threading.RLock()
        self.settings = Settings(start)
        self.wipe()

    def now(self) -> float:
        """The cloud's time: the real one, and what a test has added to it."""
        return time.time() + self.ahead

    def wipe(self) -> None:
        self.ahead = 0.0
        self.zones: dict[str, Zone] = {}
        self.globe = Globe()
        self.rings: dict[str, dict] = {}
        self.keys: dict = {}
        self.policies: dict[str, dict] = {}
        self.requests: dict[str, tuple] = {}
        self.capacity_out: list[dict] = []
        self.denied_keys: set[str] = set()
        self.project_policy: list[dict] = []
        self._due: list = []
        self._order = itertools.count()

    def zone(self, name: str) -> Zone | None:
        if name not in ZONES:
            return None
        return self.zones.setdefault(name, Zone(name))

    def after(self, at: float, step) -> None:
        """Have `step(at)` happen then."""
        heapq.heappush(self._due, (at, next(self._order), step))

    def settle(self) -> None:
        now = self.now()
        while self._due and self._due[0][0] <= now:
            at, _, step = heapq.heappop(self._due)
            step(at)

    def out_of_capacity(self, zone: str, machine: str) -> bool:
        there = {"region": ZONES[zone], "zone": zone, "type": machine}
        return any(all(there[name] == value for name, value in hole.items()) for hole in self.capacity_out)
