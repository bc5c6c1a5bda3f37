"""The filter expressions of lists (API reference, `instances.list`, parameter `filter`; Cloud KMS, "Sorting and
filtering list results").

`=`, `!=`, `:`, `<` and the like compare; `eq` and `ne` match regular expressions of RE2 against the whole value, and
can't be mixed with the others; AND is understood, OR and NOT are written. A field that the resource's schema does not
have is refused.
"""

import re

from .errors import invalid

_TOKENS = re.compile(r'\s*(\(|\)|"(?:[^"\\]|\\.)*"|!=|<=|>=|=|<|>|:|[^\s()=!<>:"]+)')
_OPERATORS = {"=", "!=", "<", ">", "<=", ">=", ":", "eq", "ne"}


# What Python's regular expressions have and RE2 has not.
_NOT_RE2 = re.compile(r"\(\?(?:[=!>(]|<[=!])|\\[1-9]")


def names_things(text: str | None) -> bool:
    """Whether the expression asks for things by their names or numbers alone: `(name = a) OR (name = b)`."""
    words = [word for word in _TOKENS.findall(text or "") if word not in "()"]
    fields, operators, joints = words[0::4], words[1::4], words[3::4]
    named = set(fields) <= {"name", "id"} and set(operators) == {"="} and set(joints) <= {"OR"}
    return named and len(words) % 4 == 3


def compiled(text: str | None, schemas: dict, schema: str):
    """A predicate. `schema` names the resource's."""
    if not text:
        return lambda _: True
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKENS.match(text, at)
        if not found:
            raise invalid(f"Invalid value for field 'filter': '{text}'. Invalid list filter expression.")
        tokens.append(found[1])
        at = found.end()
    return _Parser(tokens, text, schemas, schema).whole()


class _Parser:
    def __init__(self, tokens: list, text: str, schemas: dict, schema: str):
        self.tokens, self.text, self.schemas, self.schema = tokens, text, schemas, schema
        self.kinds: set = set()

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
        if len(self.kinds) > 1:
            raise invalid(
                f"Invalid value for field 'filter': '{self.text}'. Regular expressions can't be mixed with comparisons."
            )
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
            # A backslash in a regular expression is its own; gcloud sends ".*\bNAME\b.*".
            value = re.sub(r'\\(")' if operator in ("eq", "ne") else r"\\(.)", r"\1", value[1:-1])
        path = field.split(".")
        self.check(field, path)
        self.kinds.add(operator in ("eq", "ne"))
        if operator not in ("eq", "ne"):
            return lambda item: _any(item, path, operator, value)
        try:
            if _NOT_RE2.search(value):
                raise re.error("not of RE2")
            pattern = re.compile(value)
        except re.error:
            raise self.bad() from None
        return lambda item: (
            any(pattern.fullmatch(_text(found)) for found in _get(item, path) or [None]) == (operator == "eq")
        )

    def check(self, field: str, path: list) -> None:
        """The schema has it: through references, lists and maps (labels.KEY)."""
        known = {"type": "object", "properties": self.schemas[self.schema]["properties"]}
        for part in path:
            while "items" in known or "$ref" in known:
                known = known.get("items") or self.schemas[known["$ref"]]
            known = known.get("additionalProperties") or known.get("properties", {}).get(part)
            if known is None:
                raise invalid(f"Invalid value for field 'filter': '{self.text}'. There is no field {field}.")


def _get(item, path: list) -> list:
    """The values there: none, one, or those of every element of a list."""
    found = [item]
    for part in path:
        found = [value[part] for value in found if isinstance(value, dict) and value.get(part) is not None]
        found = [value for each in found for value in (each if isinstance(each, list) else [each])]
    return found


def _text(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _any(item, path: list, operator: str, wanted: str) -> bool:
    values = _get(item, path)
    if operator == "!=":
        return not any(_text(value) == wanted for value in values)
    return any(_holds(operator, _text(value), wanted) for value in values)


def _holds(operator: str, value: str, wanted: str) -> bool:
    if operator == "=":
        return value == wanted
    if operator == ":":
        return wanted == "*" or wanted.strip("*").lower() in value.lower()
    try:
        left, right = float(value), float(wanted)
    except ValueError:
        left, right = value, wanted
    return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[operator]
