"""The process: how it starts, what it tells, how it ends; and other clients than ours."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

RUN = pathlib.Path(__file__).resolve().parents[2] / "run.py"
ZONE = "us-central1-a"


def start(*options: str, **more) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, str(RUN), *options], stdout=subprocess.PIPE, text=True, **more)


def run(*command: str, **more) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(RUN), "--settle", "0", "--with", "--", *command],
        capture_output=True,
        text=True,
        timeout=120,
        **more,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_its_address_and_ends_on_a_signal(number):
    process = start()
    assert process.stdout.readline().startswith("GCP_ENDPOINT_URL=http://127.0.0.1:")
    process.send_signal(number)
    assert process.wait(10) == 0


def test_it_ends_with_its_parent():
    process = start("--parent-watch", stdin=subprocess.PIPE)
    process.stdout.readline()
    process.stdin.close()
    assert process.wait(10) == 0


def test_a_command_has_its_environment_and_gives_its_exit_code():
    found = run(sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))")
    told = json.loads(found.stdout)
    url = told["GCP_ENDPOINT_URL"]
    assert told["GCE_METADATA_HOST"] == url.removeprefix("http://")
    assert told["CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"] == f"{url}/compute/v1/"
    assert told["CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS"] == f"{url}/"
    assert (
        told["CLOUDSDK_AUTH_ACCESS_TOKEN"],
        told["CLOUDSDK_CORE_PROJECT"],
        told["CLOUDSDK_CORE_DISABLE_PROMPTS"],
    ) == ("emulated", "emulated-project", "1")
    assert run(sys.executable, "-c", "raise SystemExit(7)").returncode == 7
    assert run("no-such-command").returncode == 127


@pytest.mark.parametrize("options", [["--settle", "-1"], ["--with"], ["--nonsense"]])
def test_wrong_options_are_refused(options):
    process = start(*options, stderr=subprocess.DEVNULL)
    assert process.wait(30) == 2


def test_googles_own_python_client(cloud):
    import googleapiclient.discovery
    import httplib2

    class Http(httplib2.Http):
        def request(self, uri, method="GET", body=None, headers=None, **more):
            return super().request(uri, method, body, {**(headers or {}), "Authorization": "Bearer t"}, **more)

    client = googleapiclient.discovery.build(
        "compute", "v1", http=Http(), static_discovery=True, client_options={"api_endpoint": f"{cloud.url}/compute/v1/"}
    )
    operation = client.instances().insert(project="emulated-project", zone=ZONE, body=cloud.machine()).execute()
    cloud.settled()
    done = client.zoneOperations().wait(project="emulated-project", zone=ZONE, operation=operation["name"]).execute()
    assert done["status"] == "DONE"
    listed = client.instances().aggregatedList(project="emulated-project").execute()
    assert listed["items"][f"zones/{ZONE}"]["instances"][0]["status"] == "RUNNING"


@pytest.mark.skipif(
    shutil.which("gcloud") is None, reason="gcloud is not on PATH: its view of the emulator is not tested"
)
def test_gcloud_makes_sees_and_deletes(tmp_path):
    script = """
        set -e
        gcloud compute instances create one --zone us-central1-a --machine-type e2-standard-4 --image-family debian-12 \
            --image-project debian-cloud --no-address --labels team=red >&2
        gcloud compute instances list --filter='name=one AND status=RUNNING' --format 'value(name)'
        gcloud compute instances describe one --zone us-central1-a --format 'value(status, labels.team)'
        gcloud compute disks list --format 'value(name, status)'
        gcloud kms keyrings create ring --location us-central1 >&2
        gcloud kms keys create key --keyring ring --location us-central1 --purpose encryption >&2
        gcloud kms keys list --keyring ring --location us-central1 --format 'value(primary.state)'
        gcloud compute instances delete one --zone us-central1-a >&2
        gcloud compute instances list --format 'value(name)'
    """
    environment = {**os.environ, "CLOUDSDK_CONFIG": str(tmp_path), "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1"}
    found = run("bash", "-c", script, env=environment)
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == ["one", "RUNNING", "red", "one", "READY", "ENABLED"]
