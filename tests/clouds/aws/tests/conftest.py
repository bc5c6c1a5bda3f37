"""Starts the emulator once, and gives each test a wiped one. It must never reach past loopback."""

import json
import os
import pathlib
import subprocess
import sys
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

RUN = pathlib.Path(__file__).resolve().parents[1] / "run.py"
SETTLE = 60  # seconds that a state in passing lasts in these tests; they put the clock forward and never wait for it
# One attempt, and no checks on our side of the wire: the emulator must be the one that refuses.
_ONCE = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
os.environ.update(AWS_ACCESS_KEY_ID="emulated", AWS_SECRET_ACCESS_KEY="emulated", AWS_EC2_METADATA_DISABLED="true")


class Cloud:
    """The emulator as a test sees it: clients, the control API, and a few requests that most tests begin with."""

    def __init__(self, url: str):
        self.url = url
        self._clients: dict = {}
        self._regions: dict = {}

    def client(self, service: str, region: str = "us-east-1"):
        if (service, region) not in self._clients:
            self._clients[service, region] = boto3.client(service, region, endpoint_url=self.url, config=_ONCE)
        return self._clients[service, region]

    @property
    def ec2(self):
        return self.client("ec2")

    @property
    def kms(self):
        return self.client("kms")

    def get(self, path: str):
        return self._control("GET", path, None)

    def post(self, path: str, body=None):
        return self._control("POST", path, body)

    def _control(self, method: str, path: str, body):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_emulator/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)

    def place(self, region: str = "us-east-1") -> dict:
        if region not in self._regions:
            self._regions[region] = self.get(f"regions/{region}")
        return self._regions[region]

    def key(self, region: str = "us-east-1") -> str:
        return self.client("kms", region).create_key()["KeyMetadata"]["Arn"]

    def launch(self, region: str = "us-east-1", zone: str = "a", **changed) -> dict:
        """One arm64 instance; gives its description."""
        place = self.place(region)
        request = {
            "ImageId": place["images"]["arm64"],
            "InstanceType": "c7g.large",
            "MinCount": 1,
            "MaxCount": 1,
            "SubnetId": place["subnets"][region + zone],
            "SecurityGroupIds": [place["security_group"]],
        }
        request.update(changed)
        request = {name: value for name, value in request.items() if value is not None}
        return self.client("ec2", region).run_instances(**request)["Instances"][0]

    def volume(self, zone: str = "us-east-1a", **changed) -> str:
        request = {"AvailabilityZone": zone, "Size": 10, "VolumeType": "gp3", **changed}
        return self.client("ec2", zone[:-1]).create_volume(**request)["VolumeId"]

    def instance(self, instance_id: str, region: str = "us-east-1") -> dict:
        found = self.client("ec2", region).describe_instances(InstanceIds=[instance_id])
        return found["Reservations"][0]["Instances"][0]

    def state(self, instance_id: str) -> str:
        return self.instance(instance_id)["State"]["Name"]

    def volume_now(self, volume_id: str) -> dict:
        return self.ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]

    def advance(self, secs: float) -> None:
        self.post("advance", {"secs": secs})

    def settled(self) -> None:
        """Every change of state that has begun is over."""
        self.advance(SETTLE + 1)

    def running(self, **changed) -> str:
        """The id of an instance that runs already."""
        settle = self.get("settings")["settle"]
        self.post("settings", {"settle": 0})
        instance_id = self.launch(**changed)["InstanceId"]
        self.post("settings", {"settle": settle})
        return instance_id

    def available(self, zone: str = "us-east-1a", **changed) -> str:
        """The id of a volume that is available already."""
        settle = self.get("settings")["settle"]
        self.post("settings", {"settle": 0})
        volume_id = self.volume(zone, **changed)
        self.post("settings", {"settle": settle})
        return volume_id


class Refused:
    """`with refused("Code", status):` the block must end in just that error."""

    def __init__(self, code: str, status: int = 400):
        self.code, self.status = code, status

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _trace):
        assert isinstance(error, ClientError), f"{self.code} was due, not {error!r}"
        assert error.response["Error"]["Code"] == self.code, error
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == self.status, error
        return True


@pytest.fixture(scope="session")
def _emulator():
    command = [sys.executable, str(RUN), "--settle", str(SETTLE), "--parent-watch"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    url = process.stdout.readline().strip().removeprefix("AWS_ENDPOINT_URL=")
    yield Cloud(url)
    process.stdin.close()
    assert process.wait(10) == 0


@pytest.fixture
def cloud(_emulator):
    _emulator.post("reset", {})
    return _emulator


@pytest.fixture
def refused():
    return Refused
