"""A KMS request at the moment at which it is served, and the paging that its lists share.

It must never mutate anything.
"""

import base64
import binascii

from ..call import Call
from ..errors import AwsError
from ..world import Region, World
from . import find
from .key import Key


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", f"1 validation error detected: {message}")


class Request:
    def __init__(self, world: World, region: Region, call: Call, now: float):
        self.world = world
        self.region = region
        self.call = call
        self.params = call.params
        self.now = now

    def key(self, name: str = "KeyId", aliases: bool = False) -> Key:
        return find.key(self.world, self.region, self.params.get(name), aliases)

    def page(self, rows: list, name: str, default: int, most: int) -> dict:
        """One page of rows: Limit, Marker, NextMarker, Truncated, as all of KMS's lists have them."""
        limit = self.params.get("Limit", default)
        if not isinstance(limit, int) or not 1 <= limit <= most:
            raise invalid(f"Value '{limit}' at 'limit' failed to satisfy constraint: 1 to {most}")
        if self.world.settings.page_size is not None:
            limit = min(limit, self.world.settings.page_size)
        start = self._start()
        end = start + limit
        after = base64.b64encode(f"from {end}".encode()).decode() if len(rows) > end else None
        shown, after = self.call.lie.page(rows[start:end], after)
        return {name: shown, "Truncated": after is not None, **({"NextMarker": after} if after else {})}

    def _start(self) -> int:
        marker = self.params.get("Marker")
        if marker is None:
            return 0
        try:
            word, number = base64.b64decode(marker, validate=True).decode().split()
            if word == "from":
                return int(number)
        except (binascii.Error, ValueError, TypeError):
            pass
        raise AwsError("InvalidMarkerException", "Could not deserialize marker")
