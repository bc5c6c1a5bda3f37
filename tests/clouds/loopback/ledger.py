"""The record of every call to the cloud, in order of arrival. It owns numbering and counting.

It must never record the control API, and never hold a request's parameters: only what a test wants to count.
"""

import threading
import time
from collections import Counter


class Ledger:
    def __init__(self):
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self._calls: list[dict] = []

    def open(self, call) -> dict:
        """Write the call down as it arrives; fill in `status`, `code` and `fault` when they are known."""
        entry = {
            "n": 0,
            "at": time.time(),
            "service": call.service,
            "region": call.region,
            "action": call.action,
            "token": call.token,
            "status": None,
            "code": None,
            "fault": None,
        }
        with self._lock:
            entry["n"] = len(self._calls) + 1
            self._calls.append(entry)
        return entry

    def show(self) -> dict:
        with self._lock:
            calls = [dict(entry) for entry in self._calls]
        counts = Counter(f"{entry['service']}.{entry['action']}" for entry in calls)
        return {"calls": calls, "counts": dict(counts), "total": len(calls)}
