"""What a test can turn: durations, lags, pages, quotas. It owns the names, the defaults and the checks of their values.

It must never hold state of the cloud: a reset puts these back to what the process was started with.
"""

import loopback.settings

# name: (default, what kind of value it takes)
KNOWN = {
    "settle": (
        2.0,
        "seconds",
    ),  # how long pending, stopping, shutting-down, creating, attaching, detaching, deleting last
    "visibility_lag": (0.0, "seconds"),  # a new instance or volume is not found for so long
    "stale": (0.0, "seconds"),  # a listing (a describe without ids, ListKeys) shows the world as it was so long ago
    "page_size": (None, "count"),  # no page is longer, whatever the caller asks for
    "terminated_visible": (3600.0, "seconds"),  # how long a terminated instance can still be described
    "terminated_token": ("error", ("error", "replay")),  # what the token of a terminated instance gives
    "max_vcpus": (None, "count"),  # the quota of running vCPUs in a region
    "max_volumes": (None, "count"),  # the quota of volumes in a region
}


class Settings(loopback.settings.Settings):
    """The values in force. Assign with `change`, which refuses what it does not know."""

    def __init__(self, start: dict | None = None):
        super().__init__(KNOWN, start)
