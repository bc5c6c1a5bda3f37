"""What a test can turn: durations, lags, pages, quotas. It owns the names, the defaults and the checks of their values.

It must never hold state of the cloud: a reset puts these back to what the process was started with.
"""

# name: (default, what kind of value it takes)
KNOWN = {
    "settle": (
        2.0,
        "seconds",
    ),  # how long pending, stopping, shutting-down, creating, attaching, detaching, deleting last
    "visibility_lag": (0.0, "seconds"),  # a new instance or volume is not found for so long
    "stale": (0.0, "seconds"),  # a listing (a describe without ids) shows the world as it was so long ago
    "page_size": (None, "count"),  # no page is longer, whatever the caller asks for
    "terminated_visible": (3600.0, "seconds"),  # how long a terminated instance can still be described
    "terminated_token": ("error", ("error", "replay")),  # what the token of a terminated instance gives
    "max_vcpus": (None, "count"),  # the quota of running vCPUs in a region
    "max_volumes": (None, "count"),  # the quota of volumes in a region
}


class Settings:
    """The values in force. Assign with `change`, which refuses what it does not know."""

    def __init__(self, start: dict | None = None):
        self._start = dict(start or {})
        self.restore()

    def restore(self) -> None:
        for name, (default, _) in KNOWN.items():
            setattr(self, name, default)
        self.change(self._start)

    def change(self, wanted: dict) -> None:
        """All or nothing: ValueError names the first value that is wrong."""
        checked = {name: _checked(name, value) for name, value in wanted.items()}
        for name, value in checked.items():
            setattr(self, name, value)

    def show(self) -> dict:
        return {name: getattr(self, name) for name in KNOWN}


def _checked(name: str, value):
    if name not in KNOWN:
        raise ValueError(f"no setting is called {name!r}; known: {', '.join(KNOWN)}")
    default, kind = KNOWN[name]
    if isinstance(kind, tuple):
        if value not in kind:
            raise ValueError(f"{name} is one of {', '.join(kind)}, not {value!r}")
        return value
    if value is None and default is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ValueError(f"{name} takes a number of {kind} from 0, not {value!r}")
    if kind == "count":
        if value != int(value) or (name == "page_size" and value < 1):
            raise ValueError(f"{name} takes a whole number, not {value!r}")
        return int(value)
    return float(value)
