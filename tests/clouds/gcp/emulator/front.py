"""What clients talk to: sends each request to the control API, the metadata server or the cloud, around it the faults
and the ledger.

It must never know a method: `compute`, `iap` and `kms` answer.
"""

import dataclasses
import json
import os
import signal
import sys
import time
import traceback

from loopback.faults import LIES, TRUTH, Lie, Rule, Rules
from loopback.ledger import Ledger

from . import batch, catalog, compute, control, errors, filters, iap, kms
from .discovery import Document
from .errors import ApiError
from .world import World

# What `answer` returns when the connection is to be closed without a word.
SILENCE = None
_METADATA = "/computeMetadata/v1/"
_LISTINGS = {
    *(f"{kind}.list" for kind in ("instances", "disks", "snapshots", "cryptoKeys")),
    *(f"{kind}.aggregatedList" for kind in ("instances", "disks")),
}


@dataclasses.dataclass(slots=True)
class Call:
    service: str
    region: str
    action: str
    path: dict
    query: dict
    body: dict
    document: Document
    zone: object = None
    is_full: bool = False  # by a rule: there is no room for this call, wherever it goes
    lie: Lie = TRUTH  # by a rule: how this listing lies

    @property
    def zone_name(self) -> str | None:
        return self.path.get("zone")

    @property
    def is_listing(self) -> bool:
        """Whether it asks what there is, filtered or not, and not for things that it names."""
        return self.action in _LISTINGS and not filters.names_things(self.query.get("filter"))

    @property
    def token(self) -> str | None:
        return self.query.get("requestId")


class Front:
    def __init__(self, start_settings: dict | None = None):
        self.world = World(start_settings)
        self.rules = Rules()
        self.ledger = Ledger()
        self.address = ""
        self.documents = {"compute": Document("compute"), "cloudkms": Document("cloudkms"), "iap": Document("iap")}

    def answer(self, method: str, target: str, headers: dict, body: bytes) -> tuple[int, dict, bytes] | None:
        if target.startswith(control.PREFIX):
            return control.answer(self, method, target, body)
        if target == "/" or target.startswith(_METADATA):
            return _metadata(target, headers)
        if target.startswith("/batch/compute/"):
            return batch.answer(self, headers, body)
        return self.one(method, target, headers, body)

    def one(self, method: str, target: str, headers: dict, body: bytes) -> tuple[int, dict, bytes] | None:
        path, _, query = target.partition("?")
        service = "compute" if path.startswith("/compute/") else "iap" if iap.takes(path) else "cloudkms"
        path = iap.flat(path) if service == "iap" else path
        document = self.documents[service]
        try:
            found, values = document.find(method, path)
        except ApiError as error:
            return _reply(error.http, error.body(service))
        place = values.get("zone") or values.get("region") or values.get("locationsId") or ""
        call = Call(service, catalog.ZONES.get(place, place), found.action, values, {}, {}, document)
        entry = None
        try:
            call.query = document.query(found, query)
        except ApiError as error:
            entry = self.ledger.open(call)
            return _refusal(call, entry, error)
        entry = self.ledger.open(call)
        wait, rule = self.rules.strike(call)
        if wait:
            entry["fault"] = "delay"
            time.sleep(wait)
        if rule is not None:
            entry["fault"] = rule.do
            return self._faulty(call, entry, rule, found, headers, body)
        return self._effect(call, entry, found, headers, body)

    def _faulty(self, call: Call, entry: dict, rule: Rule, found, headers: dict, body: bytes):
        match rule.do:
            case "drop_request":
                return SILENCE
            case "kill_before":
                _kill(rule.wanted["pid"])
                return SILENCE
            case "drop_reply" | "kill_after" | "internal":
                self._effect(call, entry, found, headers, body)
                if rule.do == "internal":
                    return _refusal(call, entry, ApiError(500, "internalError", "Internal error"))
                entry["status"] = None
                if rule.do == "kill_after":
                    _kill(rule.wanted["pid"])
                return SILENCE
            case "throttle":
                return _refusal(call, entry, errors.throttled(call.service))
            case "unavailable":
                return _refusal(call, entry, ApiError(503, "backendError", "Backend error"))
            case "no_capacity":
                # It is told by an operation, so the call goes on.
                call.is_full = True
                return self._effect(call, entry, found, headers, body)
            case lie if lie in LIES:
                call.lie = rule.lie()
                return self._effect(call, entry, found, headers, body)
            case "error":
                wanted = rule.wanted
                error = ApiError(
                    wanted.get("status", 400), wanted["code"], wanted.get("message", "injected"), wanted["code"]
                )
                return _refusal(call, entry, error)
            case other:
                raise AssertionError(f"a rule that does {other}")

    def _effect(self, call: Call, entry: dict, found, headers: dict, body: bytes) -> tuple[int, dict, bytes]:
        try:
            if not headers.get("authorization", "").startswith("Bearer "):
                raise ApiError(401, "authError", "Request is missing required authentication credential.")
            call.document.check_path(found, call.path)
            call.body = call.document.body(found, body)
            served = {"compute": compute, "iap": iap, "cloudkms": kms}[call.service]
            reply = served.answer(self.world, call)
            entry["status"] = 200
            return _reply(200, reply)
        except ApiError as error:
            return _refusal(call, entry, error)
        except Exception:  # a fault of ours must be seen as one, and not as a hung client
            traceback.print_exc(file=sys.stderr)
            return _refusal(call, entry, ApiError(500, "emulatorFault", "the emulator itself failed; see its log"))


def _metadata(target: str, headers: dict) -> tuple[int, dict, bytes]:
    """The metadata server of a machine, for Application Default Credentials ("About VM metadata"). Never counted."""
    flavor = {"metadata-flavor": "Google", "content-type": "application/json"}
    if headers.get("metadata-flavor") != "Google":
        return 403, flavor, b"Missing required header: Metadata-Flavor"
    path = target.partition("?")[0].removeprefix(_METADATA).strip("/")
    if path == "":
        return 200, flavor, b"computeMetadata/"  # how client libraries find out that there is such a server
    if path == "instance/service-accounts/default":
        return (
            200,
            flavor,
            json.dumps(
                {"email": catalog.DEFAULT_ACCOUNT, "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}
            ).encode(),
        )
    if path == "project/numeric-project-id":
        return 200, flavor, catalog.PROJECT_NUMBER.encode()
    if path == "instance/service-accounts/default/token":
        return (
            200,
            flavor,
            json.dumps({"access_token": "emulated", "expires_in": 3600, "token_type": "Bearer"}).encode(),
        )
    if path == "instance/service-accounts/default/email":
        return 200, flavor, catalog.DEFAULT_ACCOUNT.encode()
    if path == "project/project-id":
        return 200, flavor, catalog.PROJECT.encode()
    if path == "universe/universe-domain":
        return 200, flavor, b"googleapis.com"
    return 404, flavor, b"not found"


def _reply(status: int, body: dict) -> tuple[int, dict, bytes]:
    return status, {"content-type": "application/json; charset=UTF-8"}, json.dumps(body).encode()


def _refusal(call: Call, entry: dict, error: ApiError) -> tuple[int, dict, bytes]:
    entry["status"], entry["code"] = error.http, error.reason if call.service == "compute" else error.status
    return _reply(error.http, error.body(call.service))


def _kill(pid: int) -> None:
    """A process that is gone already is as dead as was asked for."""
    try:
        os.kill(int(pid), signal.SIGKILL)
    except ProcessLookupError:
        pass
