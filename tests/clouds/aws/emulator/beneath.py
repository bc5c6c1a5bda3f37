"""moto, underneath: networks, SSM, IAM, STS and whatever else our layer does not own. It owns loading and resetting it.

It must never be asked about instances, volumes or keys: moto has none, ours are in `world`.

moto takes a second to import, so that happens on a thread of its own while the endpoint already answers. Its random ids
are seeded by region before a region is made, so that default subnets and security groups have the same ids in every
process and after every reset.
"""

import io
import os
import threading

from .call import Call
from .world import ACCOUNT

_lock = threading.RLock()
_touched: set[tuple[str, str]] = set()
_known: set[str] = set()
_app = None


def warm() -> None:
    """Load moto in the background."""
    threading.Thread(target=_load, daemon=True).start()


def _load():
    global _app
    with _lock:
        if _app is None:
            os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
            from moto.ec2.models import ec2_backends  # noqa: F401  (the slow part)
            from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

            _app = DomainDispatcherApplication(create_backend_app)
        return _app


def _seeded(region: str, make):
    from moto.moto_api._internal import mock_random

    mock_random.seed(region)
    try:
        return make()
    finally:
        mock_random.seed()


def network(region: str):
    """moto's EC2 backend of the region: its default VPC, one default subnet a zone, and the security groups."""
    with _lock:
        _load()
        from moto.ec2.models import ec2_backends

        if region in _known:
            return ec2_backends[ACCOUNT][region]
        backend = _seeded(region, lambda: ec2_backends[ACCOUNT][region])
        _known.add(region)
        return backend


def forward(call: Call) -> tuple[int, dict, bytes]:
    """Have moto answer. Status, headers, body."""
    with _lock:
        app = _load()
        if call.service == "ec2":
            network(call.region)
        if not call.action.startswith(("Describe", "Get", "List")):
            _touched.add((call.service, call.region))
        path, _, query = call.target.partition("?")
        environ = {
            "REQUEST_METHOD": call.method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": call.headers.get("content-type", ""), "CONTENT_LENGTH": str(len(call.body)),
            "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(call.body),
            "wsgi.errors": io.StringIO(), "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
        }  # fmt: skip
        for name, value in call.headers.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        got: dict = {}

        def start(status, headers, _exc=None):
            got["status"] = int(status.split()[0])
            got["headers"] = {k: v for k, v in headers if k.lower() not in ("content-length", "connection")}

        body = b"".join(app(environ, start))
        return got["status"], got["headers"], body


def reset() -> None:
    """Forget what callers have made in moto. Costs nothing when they made nothing."""
    with _lock:
        touched, services = set(_touched), {service for service, _ in _touched}
        _touched.clear()
        if not touched:
            return
        for region in {region for service, region in touched if service == "ec2"}:
            backend = network(region)
            _seeded(region, backend.reset)
        from moto.backends import get_backend

        for service in services - {"ec2"}:
            get_backend(service).reset()
