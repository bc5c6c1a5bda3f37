"""What clients talk to: sends each request to the control API or to the cloud, around it the faults and the ledger.

It must never know an action: `ec2`, `kms` and `ssm` answer, moto the rest.
"""

import json
import os
import re
import signal
import sys
import time
import traceback

from loopback.faults import LIES, Rule, Rules
from loopback.ledger import Ledger

from . import beneath, control, ec2, errors, kms, render, ssm
from .call import Call, parse
from .errors import AwsError, NotOwned
from .world import World, new_uuid

# What `answer` returns when the connection is to be closed without a word.
SILENCE = None
_CODE = re.compile(rb'<Code>([^<]+)</Code>|"__type": ?"([^"]+)"')
_XML = "text/xml;charset=UTF-8"
_JSON = "application/x-amz-json-1.1"


class Front:
    def __init__(self, start_settings: dict | None = None):
        self.world = World(start_settings)
        self.rules = Rules(("service", "action", "region", "listing"))  # a listing of EC2 is a region's, not a zone's
        self.ledger = Ledger()

    def answer(self, method: str, target: str, headers: dict, body: bytes) -> tuple[int, dict, bytes] | None:
        if target.startswith(control.PREFIX):
            return control.answer(self, method, target, body)
        call = parse(method, target, headers, body)
        if call is None:
            message = render.error(new_uuid(), "MissingAuthenticationToken", "The request is not signed.")
            return 403, {"content-type": _XML}, message
        entry = self.ledger.open(call)
        wait, rule = self.rules.strike(call)
        if wait:
            entry["fault"] = "delay"
            time.sleep(wait)
        if rule is not None:
            entry["fault"] = rule.do
            return self._faulty(call, entry, rule)
        return self._effect(call, entry)

    def _faulty(self, call: Call, entry: dict, rule: Rule):
        match rule.do:
            case "drop_request":
                return SILENCE
            case "drop_reply":
                self._effect(call, entry)
                entry["status"] = None
                return SILENCE
            case "kill_before":
                _kill(rule.wanted["pid"])
                return SILENCE
            case "kill_after":
                self._effect(call, entry)
                entry["status"] = None
                _kill(rule.wanted["pid"])
                return SILENCE
            case "internal":
                self._effect(call, entry)
                return _refusal(call, entry, errors.internal(call.service))
            case "throttle":
                return _refusal(call, entry, errors.throttled(call.service))
            case "unavailable":
                return _refusal(call, entry, errors.unavailable(call.service))
            case "no_capacity":
                return _refusal(call, entry, errors.no_capacity(call.params.get("InstanceType", "this"), "any"))
            case lie if lie in LIES:
                call.lie = rule.lie()
                return self._effect(call, entry)
            case "error":
                wanted = rule.wanted
                error = AwsError(wanted["code"], wanted.get("message", "injected"), wanted.get("status", 400))
                return _refusal(call, entry, error)
            case other:
                raise AssertionError(f"a rule that does {other}")

    def _effect(self, call: Call, entry: dict) -> tuple[int, dict, bytes]:
        try:
            reply = self._served(call, entry)
        except AwsError as error:
            return _refusal(call, entry, error)
        except Exception:  # a fault of ours must be seen as one, and not as a hung client
            traceback.print_exc(file=sys.stderr)
            return _refusal(call, entry, AwsError("EmulatorFault", "the emulator itself failed; see its log", 500))
        entry["status"] = reply[0]
        return reply

    def _served(self, call: Call, entry: dict) -> tuple[int, dict, bytes]:
        try:
            if call.service == "ec2":
                return 200, {"content-type": _XML}, ec2.answer(self.world, call, new_uuid())
            if call.service == "kms":
                found = kms.answer(self.world, call)
                return 200, _json_headers(), json.dumps(found).encode()
            if call.service == "ssm":
                return 200, _json_headers(), json.dumps(ssm.answer(self.world, call)).encode()
        except NotOwned:
            pass
        reply = beneath.forward(call)
        if reply[0] >= 400:
            entry["code"] = _code_of(reply[2])
        return reply


def _code_of(body: bytes) -> str | None:
    """The error code in an answer of moto's, whichever of the two protocols it is in."""
    found = _CODE.search(body)
    return found and (found[1] or found[2]).decode()


def _json_headers() -> dict:
    return {"content-type": _JSON, "x-amzn-requestid": new_uuid()}


def _refusal(call: Call, entry: dict, error: AwsError) -> tuple[int, dict, bytes]:
    entry["status"], entry["code"] = error.status, error.code
    if call.flat or call.service == "ec2":
        return error.status, {"content-type": _XML}, render.error(new_uuid(), error.code, error.message)
    body = json.dumps({"__type": error.code, "message": error.message}).encode()
    return error.status, _json_headers(), body


def _kill(pid: int) -> None:
    """A process that is gone already is as dead as was asked for."""
    try:
        os.kill(int(pid), signal.SIGKILL)
    except ProcessLookupError:
        pass
