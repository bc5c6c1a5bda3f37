"""A small HTTP/1.1 server on loopback: a thread a connection, keep-alive, one write a reply.

It must never listen on anything but loopback, and never interpret a request beyond its framing. It is not the
standard library's because a fault must be able to close a connection without a word, and because parsing headers
there costs more than most of our answers.
"""

import socket
import struct
import sys
import threading
import traceback

_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict",
            412: "Precondition Failed", 429: "Too Many Requests", 500: "Internal Server Error", 501: "Not Implemented",
            503: "Service Unavailable"}  # fmt: skip
_HEAD_LIMIT = 64 * 1024
_BODY_LIMIT = 16 * 1024 * 1024


class Server:
    """`answer(method, target, headers, body)` gives (status, headers, body), or None to hang up."""

    def __init__(self, answer, port: int = 0):
        self._answer = answer
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self._socket.listen(512)
        self.port = self._socket.getsockname()[1]

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection.makefile("rb") as incoming:
                while self._one(connection, incoming):
                    pass
        except (ConnectionError, TimeoutError, ValueError):
            pass  # the client went away, or it does not speak HTTP
        except Exception:
            traceback.print_exc(file=sys.stderr)
        finally:
            connection.close()

    def _one(self, connection: socket.socket, incoming) -> bool:
        """Serve one request; false when the connection is to end."""
        line = incoming.readline(_HEAD_LIMIT)
        if not line.strip():
            return False
        method, target, version = line.decode("latin-1").split()
        headers = _headers(incoming)
        if headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = _body(incoming, headers)
        reply = self._answer(method, target, headers, body)
        if reply is None:
            # A reset, and not an orderly end: the client must not take it for a connection that had idled out.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        connection.sendall(_framed(reply, keep, method == "HEAD"))
        return keep


def _headers(incoming) -> dict:
    headers: dict = {}
    size = 0
    while True:
        line = incoming.readline(_HEAD_LIMIT)
        size += len(line)
        if line in (b"\r\n", b"\n", b""):
            return headers
        if size > _HEAD_LIMIT:
            raise ValueError("the head is too long")
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()


def _body(incoming, headers: dict) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        parts = []
        while size := int(incoming.readline(64).split(b";")[0], 16):
            parts.append(incoming.read(size))
            incoming.readline(8)
        incoming.readline(8)
        return b"".join(parts)
    length = int(headers.get("content-length") or 0)
    if length > _BODY_LIMIT:
        raise ValueError("the body is too long")
    body = incoming.read(length) if length else b""
    if len(body) < length:
        raise ConnectionError("the body was cut short")
    return body


def _framed(reply: tuple[int, dict, bytes], keep: bool, head_only: bool) -> bytes:
    status, headers, body = reply
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Other')}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append("connection: keep-alive" if keep else "connection: close")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head if head_only else head + body
