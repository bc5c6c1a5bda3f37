"""Starts the emulator once, and gives each test a wiped one. It must never reach past loopback."""

import copy
import json
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request
import uuid

import pytest

RUN = pathlib.Path(__file__).resolve().parents[1] / "run.py"
SETTLE = 60  # seconds that an operation lasts in these tests; they put the clock forward and never wait for it
ZONE = "us-central1-a"
COMPUTE = f"/compute/v1/projects/emulated-project/zones/{ZONE}"
RING = "/v1/projects/emulated-project/locations/us-central1/keyRings/ring"


class Refused(Exception):
    def __init__(self, status: int, body: dict):
        super().__init__(json.dumps(body))
        self.status = status
        self.error = body.get("error", {})

    @property
    def reason(self) -> str:
        return self.error.get("errors", [{}])[0].get("reason") or self.error.get("status", "")


class Cloud:
    """The emulator as a test sees it: the API, the control API, and a few requests that most tests begin with."""

    def __init__(self, url: str):
        self.url = url

    def ask(self, method: str, path: str, body=None, token: str | None = "test") -> dict:
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise Refused(error.code, json.load(error)) from None

    def control(self, method: str, path: str, body=None):
        return self.ask(method, f"/_emulator/{path}", body)

    def advance(self, secs: float = SETTLE) -> None:
        self.control("POST", "advance", {"secs": secs})

    def settings(self, **changed) -> None:
        self.control("POST", "settings", changed)

    def body(self, name: str = "builder", **changed) -> dict:
        """A cold arm64 builder."""
        made = {
            "name": name,
            "machineType": f"zones/{ZONE}/machineTypes/c4a-standard-4",
            "labels": {"team": "red"},
            "networkInterfaces": [{"subnetwork": "regions/us-central1/subnetworks/default"}],
            "disks": [
                {
                    "boot": True,
                    "autoDelete": True,
                    "initializeParams": {
                        "diskName": f"{name}-root",
                        "diskType": f"zones/{ZONE}/diskTypes/hyperdisk-balanced",
                        "sourceImage": "projects/debian-cloud/global/images/family/debian-12-arm64",
                    },
                },
                {
                    "deviceName": "cache",
                    "initializeParams": {
                        "diskName": f"{name}-cache",
                        "diskType": f"zones/{ZONE}/diskTypes/hyperdisk-balanced",
                        "diskSizeGb": "50",
                        "labels": {"kind": "cache"},
                    },
                },
            ],
        }
        return {**copy.deepcopy(made), **changed}

    def insert(self, body: dict | None = None, request_id: str | None = None) -> dict:
        query = f"?requestId={request_id}" if request_id else ""
        return self.ask("POST", f"{COMPUTE}/instances{query}", body or self.body())

    def running(self, name: str = "builder", **changed) -> dict:
        self.insert(self.body(name, **changed))
        self.advance()
        return self.ask("GET", f"{COMPUTE}/instances/{name}")

    def operation(self, operation: dict) -> dict:
        return self.ask("GET", f"{COMPUTE}/operations/{operation['name']}")

    def list(self, collection: str, query: str = "") -> list:
        return self.ask("GET", f"{COMPUTE}/{collection}?{query}").get("items", [])

    def key(self, grant: bool = True, location: str = "us-central1", name: str = "key") -> str:
        parent = f"projects/emulated-project/locations/{location}"
        try:
            self.ask("POST", f"/v1/{parent}/keyRings?keyRingId=ring", {})
        except Refused as refused:
            assert refused.status == 409
        made = self.ask("POST", f"/v1/{parent}/keyRings/ring/cryptoKeys?cryptoKeyId={name}", {"purpose": "ENCRYPT_DECRYPT"})
        if grant:
            agent = self.control("GET", "regions/us-central1")["service_agent"]
            binding = {"role": "roles/cloudkms.cryptoKeyEncrypterDecrypter", "members": [agent]}
            self.ask("POST", f"/v1/{made['name']}:setIamPolicy", {"policy": {"bindings": [binding]}})
        return made["name"]

    def encrypted(self, key: str, **changed) -> dict:
        body = self.body(**changed)
        for disk in body["disks"]:
            disk["diskEncryptionKey"] = {"kmsKeyName": key}
        return body


@pytest.fixture(scope="session")
def process():
    options = [sys.executable, str(RUN), "--settle", str(SETTLE), "--parent-watch"]
    started = subprocess.Popen(options, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield started.stdout.readline().strip().partition("=")[2]
    started.stdin.close()
    started.wait(10)


@pytest.fixture
def cloud(process):
    cloud = Cloud(process)
    cloud.control("POST", "reset", {})
    return cloud


@pytest.fixture
def refused():
    """Runs a request that must be refused, and gives the refusal."""

    def refusal(request, *arguments) -> Refused:
        with pytest.raises(Refused) as caught:
            request(*arguments)
        return caught.value

    return refusal


@pytest.fixture
def new_id():
    return lambda: str(uuid.uuid4())
