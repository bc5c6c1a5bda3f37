"""What a person does behind our back, with gcloud as it is: each command changes what the API shows."""

import json
import os
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(
    shutil.which("gcloud") is None, reason="gcloud is not on PATH: its view of the emulator is not tested"
)
ZONE = "us-central1-a"


@pytest.fixture
def gcloud(cloud, tmp_path):
    cloud.post("settings", {"settle": 0})
    environment = {
        **os.environ,
        "CLOUDSDK_CONFIG": str(tmp_path),
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
        "CLOUDSDK_CORE_PROJECT": "emulated-project",
        "CLOUDSDK_AUTH_ACCESS_TOKEN": "emulated",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": f"{cloud.url}/compute/v1/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS": f"{cloud.url}/",
    }

    def run(line: str):
        command = ["gcloud", *line.split(), "--format", "json", "--quiet"]
        found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert found.returncode == 0, found.stderr
        return json.loads(found.stdout) if found.stdout.strip() else None

    return run


def test_disks_are_made_labelled_and_grown(cloud, gcloud):
    gcloud(f"compute disks create d --zone {ZONE} --size 20 --type hyperdisk-balanced --labels a=b,c=d")
    gcloud(f"compute disks resize d --zone {ZONE} --size 30")
    gcloud(f"compute disks update d --zone {ZONE} --provisioned-iops 4000 --update-labels e=f")
    gcloud(f"compute disks add-labels d --zone {ZONE} --labels g=h")
    gcloud(f"compute disks remove-labels d --zone {ZONE} --labels a")
    shown = cloud.disk("d")
    assert (shown["sizeGb"], shown["provisionedIops"]) == ("30", "4000")
    assert shown["labels"] == {"c": "d", "e": "f", "g": "h"} and "diskEncryptionKey" not in shown
    gcloud(f"compute disks delete d --zone {ZONE}")
    assert cloud.get("state")["zones"] == {}


def test_snapshots_are_taken_labelled_listed_and_deleted(cloud, gcloud):
    cloud.new_disk(diskEncryptionKey={"kmsKeyName": cloud.key()})
    gcloud(f"compute disks snapshot d --zone {ZONE} --snapshot-names one --labels team=red")
    gcloud(f"compute snapshots create two --source-disk d --source-disk-zone {ZONE} --storage-location us-central1")
    gcloud("compute snapshots add-labels two --labels team=blue")
    assert [each["name"] for each in gcloud("compute snapshots list --filter labels.team=blue")] == ["two"]
    shown = gcloud("compute snapshots describe one")
    assert (shown["status"], shown["labels"]) == ("READY", {"team": "red"}) and shown["snapshotEncryptionKey"]
    gcloud("compute snapshots delete one two")
    assert cloud.get("state")["snapshots"] == []


def test_machines_are_stopped_resized_labelled_and_moved_between_disks(cloud, gcloud):
    cloud.new_disk("d", kind="pd-ssd")
    image = "--image-family debian-12 --image-project debian-cloud"
    cache = "--create-disk=name=m-cache,size=20,auto-delete=no"
    gcloud(f"compute instances create m --zone {ZONE} --machine-type e2-standard-4 {image} {cache} --labels a=b")
    gcloud(f"compute instances add-labels m --zone {ZONE} --labels c=d")
    gcloud(f"compute instances remove-labels m --zone {ZONE} --labels a")
    gcloud(f"compute instances attach-disk m --zone {ZONE} --disk d")
    gcloud(f"compute instances detach-disk m --zone {ZONE} --disk m-cache")
    gcloud(f"compute instances stop m --zone {ZONE}")
    gcloud(f"compute instances set-machine-type m --zone {ZONE} --machine-type e2-standard-8")
    shown = cloud.instance()
    assert (shown["status"], shown["labels"]) == ("TERMINATED", {"c": "d"})
    assert shown["machineType"].endswith("/e2-standard-8")
    assert [disk["source"].rpartition("/")[2] for disk in shown["disks"]] == ["m", "d"]
    gcloud(f"compute instances start m --zone {ZONE}")
    assert cloud.instance()["status"] == "RUNNING"
    gcloud(f"compute instances delete m --zone {ZONE}")
    assert [each["name"] for each in gcloud("compute disks list")] == ["d", "m-cache"]


def test_keys_are_made_and_disabled_and_listings_lie_to_gcloud_too(cloud, gcloud):
    at = "--keyring r --location us-central1"
    gcloud("kms keyrings create r --location us-central1")
    gcloud(f"kms keys create k {at} --purpose encryption --labels a=b")
    gcloud(f"kms keys update k {at} --update-labels a=c")
    gcloud(f"kms keys versions disable 1 --key k {at}")
    shown = gcloud(f"kms keys list {at}")
    assert [(each["labels"], each["primary"]["state"]) for each in shown] == [({"a": "c"}, "DISABLED")]
    cloud.post("rules", [{"action": "cryptoKeys.list", "do": "empty"}])
    assert gcloud(f"kms keys list {at}") == []
