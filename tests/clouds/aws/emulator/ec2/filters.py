"""Filters and pages of the describes. It owns their matching, their tokens and their limits.

It must never skip or repeat what stood still while a caller turned pages.

Filters: "the values [...] are joined with an OR, the filters with an AND", * and ? are wildcards, matching is case-
sensitive (AWSEC2/latest/UserGuide/Using_Filtering.html). An unknown filter is InvalidParameterValue.
"""

import base64
import binascii
import re

from ..errors import AwsError, bad_value
from .request import Request


def _pattern(value: str) -> re.Pattern:
    return re.compile(re.escape(value).replace(r"\*", ".*").replace(r"\?", "."), re.S)


def parse(request: Request, known: dict) -> list:
    """A list of tests `f(thing, shown) -> bool`. `known` gives, for a filter's name, the values that a thing has for it."""
    tests = []
    for given in request.items("Filter"):
        name, values = given.get("Name", ""), given.get("Value", [])
        if not values:
            raise bad_value(f"The filter '{name}' has no value")
        read = _reader(name, known)
        if any("*" in value or "?" in value for value in values):
            patterns = [_pattern(value) for value in values]
            tests.append(
                lambda thing, shown, read=read, p=patterns: any(x.fullmatch(v) for v in read(thing, shown) for x in p)
            )
        else:
            exact = frozenset(values)
            tests.append(lambda thing, shown, read=read, exact=exact: not exact.isdisjoint(read(thing, shown)))
    return tests


def _reader(name: str, known: dict):
    if name.startswith("tag:"):
        key = name.removeprefix("tag:")
        return lambda thing, shown: (thing.tags[key],) if key in thing.tags else ()
    if name == "tag-key":
        return lambda thing, shown: tuple(thing.tags)
    if name not in known:
        raise bad_value(f"The filter '{name}' is invalid")
    return known[name]


def page(request: Request, found: list[tuple], ids_given: bool) -> tuple[list[tuple], str | None]:
    """One page of (thing, shown), and the token of the next. `found` is in order of creation.

    MaxResults is 5 to 1000 (API_DescribeInstances, API_DescribeVolumes, API_DescribeSnapshots), and not together with
    ids. The token is the number of the last one shown, so that what comes or goes elsewhere moves nothing. A listing
    that lies does so here.
    """
    limit = request.number("MaxResults")
    if limit is not None:
        if ids_given:
            raise AwsError("InvalidParameterCombination", "The parameter maxResults cannot be used with ids")
        if not 5 <= limit <= 1000:
            raise bad_value(f"Value ( {limit} ) for parameter maxResults is invalid. Expecting a value from 5 to 1000.")
    forced = request.world.settings.page_size
    if forced is not None and not ids_given:
        limit = min(limit or forced, forced)
    last = _position(request)
    rest = [each for each in found if each[0].number > last]
    if limit is None or len(rest) <= limit:
        return request.call.lie.page(rest, None)
    rest = rest[:limit]
    return request.call.lie.page(rest, base64.b64encode(f"after {rest[-1][0].number}".encode()).decode())


def _position(request: Request) -> int:
    given = request.text("NextToken")
    if not given:
        return 0
    try:
        word, number = base64.b64decode(given, validate=True).decode().split()
        if word == "after":
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise AwsError("InvalidNextToken", "The specified NextToken is not valid.")  # errors-overview
