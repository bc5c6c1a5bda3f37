"""Faults on demand: which call is hit, and by what. It owns the rules and their counting.

It must never carry a fault out: `front` does that, around the effect.
"""

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
}
_MATCHERS = ("service", "action", "region")
_FIELDS = {*_MATCHERS, "nth", "times", "do", "code", "status", "message", "secs", "pid"}


class Rule:
    def __init__(self, wanted: dict):
        unknown = set(wanted) - _FIELDS
        if unknown:
            raise ValueError(f"a rule has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(_FIELDS))}")
        if wanted.get("do") not in KINDS:
            raise ValueError(f"do is one of {', '.join(KINDS)}, not {wanted.get('do')!r}")
        for needed in {"error": ("code",), "delay": ("secs",), "kill_before": ("pid",), "kill_after": ("pid",)}.get(
            wanted["do"], ()
        ):
            if needed not in wanted:
                raise ValueError(f"a rule that does {wanted['do']} needs {needed}")
        self.wanted = dict(wanted)
        self.do = wanted["do"]
        self.nth = wanted.get("nth")
        self.times = wanted.get("times", 1 if self.nth else None)
        self.matched = 0
        self.fired = 0

    def hits(self, call) -> bool:
        """Count the call if it matches; true when it is one to hit: from the nth on, `times` times."""
        if any(name in self.wanted and self.wanted[name] != getattr(call, name) for name in _MATCHERS):
            return False
        self.matched += 1
        return self.matched >= (self.nth or 1) and (self.times is None or self.fired < self.times)

    def show(self) -> dict:
        return {**self.wanted, "matched": self.matched, "fired": self.fired}


class Rules:
    def __init__(self):
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def replace(self, wanted: list[dict]) -> None:
        rules = [Rule(each) for each in wanted]
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
