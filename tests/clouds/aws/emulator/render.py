"""Turns plain Python values into the XML of the EC2 query protocol. It owns escaping and the envelope.

It must never know what an instance is. A dict becomes child elements, a list becomes <item> elements, None is left out.
"""

import time
from xml.sax.saxutils import escape

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


class Raw(str):
    """XML that is rendered already."""


def fragment(value) -> str:
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts)


def _write(value, put) -> None:
    for name, child in value.items():
        if child is None:
            continue
        put(f"<{name}>")
        _content(child, put)
        put(f"</{name}>")


def _content(child, put) -> None:
    if isinstance(child, Raw):
        put(child)
    elif isinstance(child, str):
        put(escape(child) if ("<" in child or "&" in child or ">" in child) else child)
    elif isinstance(child, bool):
        put("true" if child else "false")
    elif isinstance(child, dict):
        _write(child, put)
    elif isinstance(child, list):
        for item in child:
            put("<item>")
            _content(item, put)
            put("</item>")
    else:
        put(str(child))


def answer(action: str, request_id: str, body: dict) -> bytes:
    inner = fragment(body)
    return (
        f'{_HEAD}<{action}Response xmlns="{_SPACE}"><requestId>{request_id}</requestId>{inner}</{action}Response>'
    ).encode()


def error(request_id: str, code: str, message: str) -> bytes:
    return (
        f"{_HEAD}<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error></Errors>"
        f"<RequestID>{request_id}</RequestID></Response>"
    ).encode()


def stamp(moment: float) -> str:
    """A time as EC2 writes it: UTC with milliseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
