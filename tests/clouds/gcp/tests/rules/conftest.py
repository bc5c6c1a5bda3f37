"""Starts the emulator once, and gives each test a wiped one. It must never reach past loopback."""

import contextlib
import pathlib
import subprocess
import sys
import uuid

import pytest
import requests

RUN = pathlib.Path(__file__).resolve().parents[2] / "run.py"
SETTLE = 60  # seconds that an operation lasts in these tests; they put the clock forward and never wait for it
PROJECT = "emulated-project"
AGENT = "serviceAccount:service-123456789012@compute-system.iam.gserviceaccount.com"
ROLE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"


class Refusal(Exception):
    """An answer that is not a 200."""

    def __init__(self, answer: requests.Response):
        super().__init__(answer.text)
        self.http, self.body = answer.status_code, answer.json()["error"]

    @property
    def code(self) -> str:
        return self.body["errors"][0]["reason"] if "errors" in self.body else self.body["status"]


class Cloud:
    """The emulator as a test sees it: plain requests, the control API, and what most tests begin with."""

    def __init__(self, url: str):
        self.url = url
        self.session = requests.Session()

    def ask(self, method: str, path: str, body=None, headers=None, **query):
        headers = {"Authorization": "Bearer test"} if headers is None else headers
        answer = self.session.request(method, self.url + path, params=query, json=body, headers=headers, timeout=10)
        if answer.status_code != 200:
            raise Refusal(answer)
        return answer.json()

    def get(self, path: str):
        return self.control("GET", path).json()

    def post(self, path: str, body=None):
        answer = self.control("POST", path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def control(self, method: str, path: str, body=None) -> requests.Response:
        return self.session.request(method, f"{self.url}/_emulator/{path}", json=body, timeout=10)

    def compute(self, method: str, path: str, body=None, **query):
        return self.ask(method, f"/compute/v1/projects/{PROJECT}/{path}", body, **query)

    def kms(self, method: str, path: str, body=None, **query):
        return self.ask(method, f"/v1/{path}", body, **query)

    def advance(self, secs: float) -> None:
        self.post("advance", {"secs": secs})

    def settled(self) -> None:
        """Every operation that has begun is over."""
        self.advance(SETTLE + 1)

    def machine(self, name: str = "m", zone: str = "us-central1-a", **changed) -> dict:
        """The body of a request for one arm64 instance."""
        boot = self.newborn(zone, boot=True, autoDelete=True, sourceImage=self.image("arm64"))
        body = {
            "name": name,
            "machineType": f"zones/{zone}/machineTypes/c4a-standard-4",
            "networkInterfaces": [{"subnetwork": f"regions/{zone[:-2]}/subnetworks/default"}],
            "disks": [boot],
            **changed,
        }
        return {field: value for field, value in body.items() if value is not None}

    @staticmethod
    def image(arch: str) -> str:
        return f"projects/{PROJECT}/global/images/builder-{arch}"

    @staticmethod
    def newborn(
        zone: str = "us-central1-a", boot=False, autoDelete=False, key=None, kind="hyperdisk-balanced", **params
    ) -> dict:
        params["diskType"] = f"zones/{zone}/diskTypes/{kind}"
        disk = {"boot": boot, "autoDelete": autoDelete, "initializeParams": params}
        return {**disk, "diskEncryptionKey": {"kmsKeyName": key}} if key else disk

    def insert(self, name: str = "m", zone: str = "us-central1-a", requestId=None, **changed) -> dict:
        query = {"requestId": requestId} if requestId else {}
        return self.compute("POST", f"zones/{zone}/instances", self.machine(name, zone, **changed), **query)

    def running(self, name: str = "m", zone: str = "us-central1-a", **changed) -> dict:
        self.insert(name, zone, **changed)
        self.settled()
        instance = self.instance(name, zone)
        assert instance["status"] == "RUNNING"
        return instance

    def instance(self, name: str = "m", zone: str = "us-central1-a") -> dict:
        return self.compute("GET", f"zones/{zone}/instances/{name}")

    def do(self, verb: str, name: str = "m", zone: str = "us-central1-a", body=None, **query) -> dict:
        return self.compute("POST", f"zones/{zone}/instances/{name}/{verb}", body, **query)

    def disk(self, name: str, zone: str = "us-central1-a") -> dict:
        return self.compute("GET", f"zones/{zone}/disks/{name}")

    def new_disk(
        self, name: str = "d", zone: str = "us-central1-a", kind: str = "hyperdisk-balanced", **changed
    ) -> dict:
        """A disk that is ready."""
        body = {"name": name, "sizeGb": "20", "type": f"zones/{zone}/diskTypes/{kind}", **changed}
        self.compute("POST", f"zones/{zone}/disks", body)
        self.settled()
        return self.disk(name, zone)

    def operation(self, operation: dict) -> dict:
        """As it is now."""
        zone = operation["zone"].rsplit("/", 1)[-1]
        return self.compute("GET", f"zones/{zone}/operations/{operation['name']}")

    def ended(self, operation: dict) -> str | None:
        """The code of its error, after its end."""
        self.settled()
        now = self.operation(operation)
        assert now["status"] == "DONE"
        return now["error"]["errors"][0]["code"] if "error" in now else None

    def key(self, location: str = "us-central1", name: str = "k", grant: bool = True, **body) -> str:
        parent = f"projects/{PROJECT}/locations/{location}"
        with contextlib.suppress(Refusal):
            self.kms("POST", f"{parent}/keyRings", {}, keyRingId="r")
        ring = f"{parent}/keyRings/r"
        made = self.kms("POST", f"{ring}/cryptoKeys", {"purpose": "ENCRYPT_DECRYPT", **body}, cryptoKeyId=name)
        if grant:
            self.grant(made["name"])
        return made["name"]

    def grant(self, name: str, members=(AGENT,)) -> dict:
        policy = self.kms("GET", f"{name}:getIamPolicy")
        policy["bindings"] = [{"role": ROLE, "members": list(members)}]
        return self.kms("POST", f"{name}:setIamPolicy", {"policy": policy})


@contextlib.contextmanager
def _refused(code: str, http: int, word: str = ""):
    """The block must end in just that refusal."""
    try:
        yield
    except Refusal as refusal:
        assert (refusal.code, refusal.http) == (code, http), refusal
        assert refusal.body["code"] == http
        assert word in refusal.body["message"], refusal
    else:
        raise AssertionError(f"{code} was due")


@pytest.fixture(scope="session")
def _emulator():
    command = [sys.executable, str(RUN), "--settle", str(SETTLE), "--parent-watch"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    url = process.stdout.readline().strip().removeprefix("GCP_ENDPOINT_URL=")
    yield Cloud(url)
    process.stdin.close()
    assert process.wait(10) == 0


@pytest.fixture
def cloud(_emulator):
    _emulator.post("reset", {})
    return _emulator


@pytest.fixture
def refused():
    return _refused


@pytest.fixture
def token() -> str:
    return str(uuid.uuid4())
