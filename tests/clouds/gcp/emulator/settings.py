"""What a test can turn: durations, lags, pages, quotas. It owns the names, the defaults and their kinds."""

import loopback.settings

KNOWN = {
    "settle": (2.0, "seconds"),  # how long an operation lasts, and with it every state in passing
    "visibility_lag": (0.0, "seconds"),  # a new instance or disk is not shown for so long
    "stale": (0.0, "seconds"),  # a list shows the world as it was so long ago
    "page_size": (None, "count"),  # no page is longer, whatever the caller asks for
    "key_check": ("sync", ("sync", "async")),  # whether a bad key is refused at once, or fails the operation
    "capacity_code": (
        "ZONE_RESOURCE_POOL_EXHAUSTED",
        (
            "ZONE_RESOURCE_POOL_EXHAUSTED",
            "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS",
            "RESOURCE_POOL_EXHAUSTED",
            "STOCKOUT",
        ),
    ),
    "quota": ("async", ("sync", "async")),  # whether a spent quota is refused at once, or fails the operation
    "quota_sync": (False, "flag"),  # true is the same as `quota` "sync"
    "max_vcpus": (None, "count"),  # the quota of vCPUs in a region
    "max_disks_gib": (None, "count"),  # the quota of disk space in a region
}


class Settings(loopback.settings.Settings):
    """The values in force. Assign with `change`, which refuses what it does not know."""

    def __init__(self, start: dict | None = None):
        super().__init__(KNOWN, start)
