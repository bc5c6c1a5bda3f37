"""The filter expressions of Compute Engine's lists (API reference, `instances.list`, parameter `filter`).

`=`, `!=`, `:`, `<` and the like compare; `eq` and `ne` match regular expressions against the whole value; AND is understood, OR
and NOT are written. A field that the resource's schema does not have is refused.
"""

import re

from .errors import invalid

_TOKENS = re.compile(r'\s*(\(|\)|"(?:[^"\\]|\\.)*"|!=|<=|>=|=|<|>|:|[^\s()=!<>:"]+)')
_OPERATORS = {"=", "!=", "<", ">", "<=", ">=", ":", "eq", "ne"}


def compiled(text: str | None, known: dict):
    """A predicate. `known` has the schema's properties."""
    if not text:
        return lambda _: True
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKENS.match(text, at)
        if not found:
            raise invalid(f"Invalid value for field 'filter': '{text}'. Invalid list filter expression.")
        tokens.append(found[1])
        at = found.end()
    return _Parser(tokens, text, known).whole()


class _Parser:
    def __init__(self, tokens: list, text: str, known: dict):
        self.tokens, self.text, self.known = tokens, text, known

    def bad(self):
        return invalid(f"Invalid value for field 'filter': '{self.text}'. Invalid list filter expression.")

    def peek(self) -> str | None:
        return self.tokens[0] if self.tokens else None

    def take(self) -> str:
        if not self.tokens:
            raise self.bad()
        return self.tokens.pop(0)

    def whole(self):
        found = self.either()
        if self.tokens:
            raise self.bad()
        return found

    def either(self):
        parts = [self.both()]
        while self.peek() == "OR":
            self.take()
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else lambda item: any(part(item) for part in parts)

    def both(self):
        parts = [self.one()]
        while self.peek() not in (None, ")", "OR"):
            if self.peek() == "AND":
                self.take()
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else lambda item: all(part(item) for part in parts)

    def one(self):
        if self.peek() == "NOT":
            self.take()
            inner = self.one()
            return lambda item: not inner(item)
        if self.peek() == "(":
            self.take()
            inner = self.either()
            if self.take() != ")":
                raise self.bad()
            return inner
        return self.compare()

    def compare(self):
        field, operator = self.take(), self.take()
        if operator not in _OPERATORS:
            raise self.bad()
        value = self.take()
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        path = field.split(".")
        if path[0] not in self.known:
            raise invalid(f"Invalid value for field 'filter': '{self.text}'. There is no field {field}.")
        if operator in ("eq", "ne"):
            try:
                pattern = re.compile(value)
            except re.error:
                raise self.bad() from None
            return lambda item: bool(pattern.fullmatch(_text(item, path))) == (operator == "eq")
        return lambda item: _holds(operator, _get(item, path), value)


def _get(item, path: list):
    for part in path:
        item = item.get(part) if isinstance(item, dict) else None
    return item


def _text(item, path: list) -> str:
    value = _get(item, path)
    return "" if value is None else str(value)


def _holds(operator: str, value, wanted: str) -> bool:
    if operator == ":":
        return value is not None and (wanted == "*" or wanted.strip("*").lower() in str(value).lower())
    if isinstance(value, bool):
        value = str(value).lower()
    same = value is not None and str(value) == wanted
    match operator:
        case "=":
            return same
        case "!=":
            return not same
    if value is None:
        return False
    try:
        left, right = float(value), float(wanted)
    except ValueError:
        left, right = str(value), wanted
    return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[operator]
