"""The process: one line when it answers, loopback only, and an end to it. And the AWS CLI, as an operator uses it."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import urllib.request

from conftest import RUN

AWS = pathlib.Path(sys.executable).with_name("aws")


def start(*options, **streams):
    return subprocess.Popen([sys.executable, str(RUN), *options], stdout=subprocess.PIPE, text=True, **streams)


def url_of(process):
    line = process.stdout.readline()
    assert line.startswith("AWS_ENDPOINT_URL=http://127.0.0.1:")
    return line.strip().partition("=")[2]


def test_it_prints_one_line_and_ends_on_sigterm_and_sigint():
    for number in (signal.SIGTERM, signal.SIGINT):
        process = start()
        assert urllib.request.urlopen(url_of(process) + "/_emulator/healthz").status == 200
        process.send_signal(number)
        assert (process.wait(10), process.stdout.read()) == (0, "")


def test_it_ends_with_its_parent():
    process = start("--parent-watch", stdin=subprocess.PIPE)
    url_of(process)
    process.stdin.close()
    assert process.wait(10) == 0


def test_it_listens_on_loopback_only():
    process = start("--port", "0")
    port = int(url_of(process).rpartition(":")[2])
    listening = [line.split()[1] for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    process.terminate()
    assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    assert socket.inet_ntoa(bytes.fromhex("7F000001")) == "127.0.0.1"


def test_with_gives_the_command_the_endpoint_and_takes_its_code():
    script = "import os,sys; print(os.environ['AWS_ENDPOINT_URL'], os.environ['AWS_REGION']); sys.exit(7)"
    process = start("--with", "--", sys.executable, "-c", script)
    output = process.communicate(timeout=20)[0]
    assert process.returncode == 7
    assert output.startswith("http://127.0.0.1:")


def test_with_a_command_that_is_not_there():
    process = start("--with", "--", "no-such-command", stderr=subprocess.DEVNULL)
    assert process.wait(20) == 127


def aws(cloud, *words):
    environment = {**os.environ, "AWS_ENDPOINT_URL": cloud.url, "AWS_DEFAULT_REGION": "us-east-1"}
    found = subprocess.run(
        [str(AWS), *words, "--output", "text"], env=environment, capture_output=True, text=True, timeout=30
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


def test_the_aws_cli_reads_and_changes_it(cloud):
    cloud.post("settings", {"settle": 0})
    key = aws(cloud, "kms", "create-key", "--query", "KeyMetadata.KeyId")
    parameter = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    instance = aws(cloud, "ec2", "run-instances", "--image-id", parameter, "--instance-type", "c7i.large",
                   "--subnet-id", cloud.place()["subnets"]["us-east-1a"], "--query", "Instances[0].InstanceId")  # fmt: skip
    volume = aws(cloud, "ec2", "create-volume", "--availability-zone", "us-east-1a", "--size", "10", "--encrypted",
                 "--kms-key-id", key, "--query", "VolumeId")  # fmt: skip
    aws(cloud, "ec2", "attach-volume", "--volume-id", volume, "--instance-id", instance, "--device", "/dev/sdf")
    aws(cloud, "ec2", "wait", "volume-in-use", "--volume-ids", volume)
    query = "Reservations[].Instances[].[State.Name,Architecture,BlockDeviceMappings[1].Ebs.VolumeId]"
    assert aws(cloud, "ec2", "describe-instances", "--query", query).split() == ["running", "x86_64", volume]
    aws(cloud, "kms", "schedule-key-deletion", "--key-id", key, "--pending-window-in-days", "7")
    assert aws(cloud, "kms", "describe-key", "--key-id", key, "--query", "KeyMetadata.KeyState") == "PendingDeletion"
