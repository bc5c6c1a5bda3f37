"""Compute Engine's batch endpoint, which gcloud lists with: several requests in one. Each is a call of its own.

Source: Compute Engine documentation, "Batch requests" (multipart/mixed of application/http).
"""

import re


def answer(front, headers: dict, body: bytes) -> tuple[int, dict, bytes]:
    boundary = re.search(r'boundary="?([^";]+)"?', headers.get("content-type", ""))
    if not boundary:
        return 400, {}, b"no boundary"
    parts = []
    for part in body.split(b"--" + boundary[1].encode()):
        outer, _, inner = part.strip(b"\r\n").partition(b"\n\n" if b"\r\n\r\n" not in part else b"\r\n\r\n")
        if not inner or inner.strip() == b"--":
            continue
        parts.append(_one(front, outer.decode("latin-1"), inner, headers))
    text = b"".join(b"--batch_emulated\r\n" + part + b"\r\n" for part in parts) + b"--batch_emulated--\r\n"
    return 200, {"content-type": "multipart/mixed; boundary=batch_emulated"}, text


def _one(front, outer: str, inner: bytes, headers: dict) -> bytes:
    head, _, body = inner.replace(b"\r\n", b"\n").partition(b"\n\n")
    first, *rest = head.decode("latin-1").split("\n")
    method, target, *_ = first.split()
    target = re.sub(r"^https?://[^/]+", "", target)
    own = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    own.setdefault("authorization", headers.get("authorization", ""))
    reply = front.one(method, target, own, body) or (503, {}, b"{}")
    status, shown, found = reply
    number = re.search(r"Content-ID:\s*<?([^>\r\n]+)>?", outer, re.IGNORECASE)
    lines = ["Content-Type: application/http"]
    if number:
        lines.append(f"Content-ID: <response-{number[1]}>")
    lines += [
        "",
        f"HTTP/1.1 {status} OK",
        *(f"{name}: {value}" for name, value in shown.items()),
        f"content-length: {len(found)}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + found
