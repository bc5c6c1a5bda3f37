"""Faults on demand: which call is hit, and by what. It owns the rules and their counting.

It must never carry a fault out: `front` does that, around the effect. Of a listing that lies it knows only how: what
was to be listed is the emulators'.
"""

import dataclasses
import threading

KINDS = {
    "drop_reply": "the effect happens, the connection closes without an answer",
    "drop_request": "the connection closes, nothing happens",
    "throttle": "the cloud's refusal of too many calls, nothing happens",
    "error": "the given code, status and message, nothing happens",
    "unavailable": "503, nothing happens",
    "internal": "500, and the effect has happened",
    "delay": "the call waits `secs`, then goes on",
    "kill_before": "SIGKILL to `pid`, nothing happens",
    "kill_after": "the effect happens, then SIGKILL to `pid`, no answer",
    "no_capacity": "the cloud's word for a full zone, nothing happens",
    "cut": "a listing ends after the page that was asked for, and does not say that there is more",
    "empty": "a listing has nothing",
    "stale": "a listing shows what there was `secs` ago",
}
LIES = ("cut", "empty", "stale")
# What a rule can ask for, and the attribute of a call that it is held against.
_MATCHERS = {
    "service": "service",
    "action": "action",
    "region": "region",
    "zone": "zone_name",
    "listing": "is_listing",
}
_FIELDS = {*_MATCHERS, "nth", "times", "do", "code", "status", "message", "secs", "pid"}
_NEEDED = {"error": "code", "delay": "secs", "stale": "secs", "kill_before": "pid", "kill_after": "pid"}


@dataclasses.dataclass(frozen=True, slots=True)
class Lie:
    """How a listing lies; without a kind it tells the truth."""

    kind: str | None = None
    secs: float = 0.0

    def age(self, usual: float) -> float:
        """How old the picture is that the listing shows, in seconds."""
        return self.secs if self.kind == "stale" else usual

    def page(self, items: list, after) -> tuple:
        """The page and the token of the next one, as they are told."""
        if self.kind == "empty":
            return [], None
        return items, None if self.kind == "cut" else after


TRUTH = Lie()


class Rule:
    def __init__(self, wanted: dict, matchers=tuple(_MATCHERS)):
        known = _FIELDS - (set(_MATCHERS) - set(matchers))
        unknown = set(wanted) - known
        if unknown:
            raise ValueError(f"a rule has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
        if wanted.get("do") not in KINDS:
            raise ValueError(f"do is one of {', '.join(KINDS)}, not {wanted.get('do')!r}")
        needed = _NEEDED.get(wanted["do"])
        if needed is not None and needed not in wanted:
            raise ValueError(f"a rule that does {wanted['do']} needs {needed}")
        _check_values(wanted)
        self.wanted = dict(wanted)
        self.do = wanted["do"]
        self.nth = wanted.get("nth")
        self.times = wanted.get("times", 1 if self.nth else None)
        self.matched = 0
        self.fired = 0

    def hits(self, call) -> bool:
        """Count the call if it matches; true when it is one to hit: from the nth on, `times` times."""
        if self.do in LIES and not call.is_listing:
            return False
        if any(self.wanted[name] != getattr(call, where) for name, where in _MATCHERS.items() if name in self.wanted):
            return False
        self.matched += 1
        return self.matched >= (self.nth or 1) and (self.times is None or self.fired < self.times)

    def lie(self) -> Lie:
        return Lie(self.do, float(self.wanted.get("secs", 0)))

    def show(self) -> dict:
        return {**self.wanted, "matched": self.matched, "fired": self.fired}


def _check_values(wanted: dict) -> None:
    secs = wanted.get("secs", 0)
    if isinstance(secs, bool) or not isinstance(secs, (int, float)) or secs < 0:
        raise ValueError(f"secs is a number from 0, not {secs!r}")
    listing = wanted.get("listing", True)
    if not isinstance(listing, bool) or (wanted["do"] in LIES and not listing):
        raise ValueError(f"listing is true or false, and true for {', '.join(LIES)}; not {listing!r}")


class Rules:
    """The rules in force. `matchers` are those that calls to this cloud can be held against."""

    def __init__(self, matchers=tuple(_MATCHERS)):
        self._lock = threading.Lock()
        self._matchers = matchers
        self._rules: list[Rule] = []

    def replace(self, wanted: list[dict]) -> None:
        rules = [Rule(each, self._matchers) for each in wanted]
        with self._lock:
            self._rules = rules

    def show(self) -> list[dict]:
        with self._lock:
            return [rule.show() for rule in self._rules]

    def strike(self, call) -> tuple[float, Rule | None]:
        """The seconds to wait first, and the fault. Of several rules that are due, the first wins; waits add up."""
        wait, chosen = 0.0, None
        with self._lock:
            for rule in self._rules:
                if not rule.hits(call):
                    continue
                if rule.do == "delay":
                    rule.fired += 1
                    wait += float(rule.wanted["secs"])
                elif chosen is None:
                    rule.fired += 1
                    chosen = rule
        return wait, chosen
