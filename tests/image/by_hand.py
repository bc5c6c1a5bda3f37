"""`build PLACE [TARGET]`: the Dockerfile's steps in the empty folder PLACE. `run PLACE`: docker-compose.yml's services out of it.

scripts/image-by-hand calls both, the second in namespaces of its own; it starts itself again under scripts/with-postgres. No container
engine takes part. What differs from one is said at the end.
"""

import fcntl
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse

import compose
import dockerfile
import steps
from services import Services

CURL = ("curl", "--silent", "--show-error", "--max-time", "70")
DOOR = "https://localhost:8443"


def build(place: pathlib.Path, target: str | None) -> None:
    begun = time.monotonic()
    steps.context(place)
    caches = {"provisioner-target": target} if target else {}
    found = dockerfile.stages()
    for name, stage in found.items():
        path = steps.python(place) if name == "emulators" else os.environ["PATH"]
        steps.stage(place, name, stage, path, caches)
    told = steps.libraries(place / "provisioner", "/usr/local/bin/provisioner")
    binary = place / "provisioner/usr/local/bin/provisioner"
    print(f"image: the binary has {binary.stat().st_size // 1_000_000} MB and asks for {', '.join(told)}")
    print(f"image: built in {time.monotonic() - begun:.0f} s")


class Installation:
    def __init__(self, place: pathlib.Path):
        self.described = compose.load()
        self.services = Services(place, dockerfile.stages(), self.described, f"{place}/python/bin:{os.environ['PATH']}")
        self.place = place
        self.token = ""

    def database(self) -> None:
        """What the image of PostgreSQL does at its first start: the database, the scripts, and passwords that count."""
        url = os.environ["PROVISIONER_TEST_POSTGRES"]
        service = self.described["services"]["postgres"]
        programs = subprocess.check_output([dockerfile.ROOT / "scripts/postgres"], text=True).strip()
        psql = [f"{programs}/psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"]
        environment = {**os.environ, **service["environment"]}
        name = service["environment"]["POSTGRES_DB"]
        subprocess.run([*psql, url, "--command", f"CREATE DATABASE {name}"], check=True)
        mounts = [volume.split(":") for volume in service["volumes"]]
        for source in [mount[0] for mount in mounts if mount[1].startswith("/docker-entrypoint-initdb.d/")]:
            script = dockerfile.ROOT / source
            subprocess.run([*psql, f"{url.rsplit('/', 1)[0]}/{name}", "--file", script], env=environment, check=True)
        hba = subprocess.check_output([*psql, url, "--tuples-only", "--no-align", "--command", "SHOW hba_file"], text=True)
        pathlib.Path(hba.strip()).write_text("host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        subprocess.run([*psql, url, "--command", "SELECT pg_reload_conf()"], check=True, stdout=subprocess.DEVNULL)
        forward(5432, urllib.parse.urlsplit(url).port)
        test = service["healthcheck"]["test"][1:]
        subprocess.run([f"{programs}/{test[0]}", *test[1:]], check=True, stdout=subprocess.DEVNULL)

    def up(self) -> dict:
        """In the order of `depends_on`, each when what it waits for is so."""
        services, took = self.services, {}
        for name in compose.order(services.all):
            if name == "postgres":
                continue
            wanted = {other["depends_on"][name]["condition"] for other in services.all.values() if name in other.get("depends_on", {})}
            if "service_completed_successfully" in wanted:
                services.run(name)
                continue
            services.start(name)
            if services.all[name]["healthcheck"].get("test"):
                took[name] = round(services.healthy(name), 1)
        return took

    def ask(self, method: str, path: str, body: dict | None = None) -> dict:
        words = [*CURL, "--cacert", str(self.place / "volumes/tls/certificate.pem"), "--request", method, DOOR + path]
        words += ["--write-out", "\n%{http_code}", "--header", f"Authorization: Bearer {self.token}"]
        if body is not None:
            words += ["--json", json.dumps(body)]
        *text, status = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split("\n")
        if not status.startswith("2"):
            raise SystemExit(f"{method} {path}: {status} {text}")
        return json.loads("\n".join(text) or "null")

    def ready(self, project: str, arch: str) -> dict:
        for _ in range(5):
            found = self.ask("GET", f"/v1/projects/{project}/builders/{arch}?wait_secs=30")
            if found["state"] == "running" and found["endpoint"]:
                return found
        raise SystemExit(f"{project} has no builder: {found} {self.services.log('worker')}")


def forward(port: int, to: int) -> None:
    """Compose's name and port for the database, and the server that is behind them here."""
    listening = socket.create_server(("127.0.0.1", port))

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def accept() -> None:
        while True:
            near, _ = listening.accept()
            far = socket.create_connection(("127.0.0.1", to))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def loopback_up() -> None:
    """netdevice(7), SIOCSIFFLAGS: IFF_UP and IFF_RUNNING."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))


def held(services: Services, name: str) -> str:
    """How the kernel holds the service's process: its user, its place, its rights, its root."""
    wanted = ("65532", "1", "0" * 16, "0" * 16, "1", "ro")
    for _ in range(50):
        facts = _facts(services.pid(services.running[name]))
        if facts == wanted:
            return name
        time.sleep(0.1)  # it is still being put into its place
    raise SystemExit(f"{name} is not held: {facts}")


def _facts(pid: int) -> tuple:
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    found = {line.split(":")[0]: line.split()[-1] for line in status.splitlines()}
    mounts = [line.split() for line in pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines()]
    roots = [mount[5].split(",")[0] for mount in mounts if mount[4] == "/"]
    return (*(found[key] for key in ("Uid", "NSpid", "CapEff", "CapBnd", "NoNewPrivs")), roots[-1])


def drive(installation: Installation) -> None:
    services = installation.services
    said = services.run("operator", ["token", "bootstrap"])
    installation.token = re.search(r"prv[a-z]_\S+", said)[0]
    installation.ask("POST", "/v1/orgs", {"name": "acme"})
    for cloud, residency, arch in (("aws", "us", "arm64"), ("gcp", "eu", "x86_64")):
        begun = time.monotonic()
        installation.ask("POST", "/v1/orgs/acme/projects", {"name": cloud, "residency": residency, "cloud": cloud, "size": "4x8"})
        installation.ask("POST", f"/v1/projects/acme/{cloud}/builders/{arch}/provision")
        found = installation.ready(f"acme/{cloud}", arch)
        print(f"{cloud}: a builder of {arch} is ready in {found['zone']} at {found['endpoint']} after {time.monotonic() - begun:.1f} s")


def drains(installation: Installation) -> None:
    """Told to stop with work under way: the API answers what waits, the worker hands back its job, which the next one ends."""
    services = installation.services
    installation.ask("POST", "/v1/projects/acme/aws/builders/arm64/stop")
    time.sleep(0.3)
    took = services.stop("worker")
    left = [job["state"] for job in installation.ask("GET", "/v1/projects/acme/aws/jobs")["items"]]
    if "succeeded" in left[:1]:
        raise SystemExit(f"the job was over before the worker was told to stop: {left}")
    print(f"SIGTERM: worker, with a job in hand, 0 after {took:.2f} s", end="; ")
    services.start("worker")
    for _ in range(100):
        jobs = installation.ask("GET", "/v1/projects/acme/aws/jobs")["items"]
        if all(job["state"] == "succeeded" for job in jobs):
            break
        time.sleep(0.3)
    else:
        raise SystemExit(f"the job was not taken on: {jobs} {services.log('worker')}")
    print(f"the next one ended it ({len(jobs)} jobs, all succeeded)")
    # A job that nobody does: whoever waits for the builder waits.
    took = {"worker": services.stop("worker")}
    installation.ask("POST", "/v1/projects/acme/aws/builders/arm64/start")
    answers: list = []
    path = "/v1/projects/acme/aws/builders/arm64?wait_secs=30"
    waiting = threading.Thread(target=lambda: answers.append(installation.ask("GET", path)))
    waiting.start()
    time.sleep(1)
    if answers:
        raise SystemExit(f"nothing waited: {answers}")
    took["serve"] = services.stop("serve")
    waiting.join()
    if not answers:
        raise SystemExit("a request that was under way was cut off")
    print(f"SIGTERM: serve, with a request under way, which was answered: 0 after {took['serve']:.2f} s", end="; ")
    took |= {name: services.stop(name) for name in ("reconcile", "gcp-emulator", "aws-emulator")}
    print(", ".join(f"{name} {secs:.2f} s" for name, secs in took.items()))


def run(place: pathlib.Path) -> None:
    if "PROVISIONER_TEST_POSTGRES" not in os.environ:
        loopback_up()
        again = [sys.executable, __file__, "run", str(place)]
        os.execv(dockerfile.ROOT / "scripts/with-postgres", ["with-postgres", "--no-fsync", *again])
    (place / "provisioner/etc/hosts").write_text("127.0.0.1 localhost postgres serve\n")
    installation = Installation(place)
    services = installation.services
    try:
        installation.database()
        took = installation.up()
        print(f"up: {', '.join(f'{name} healthy after {secs} s' for name, secs in took.items())}")
        print(f"held (65532, process 1, read-only root, no capability): {', '.join(held(services, name) for name in services.running)}")
        drive(installation)
        runs = json.loads(services.run("operator", ["reconcile", "history", "--output", "json"]))
        print(f"reconcile: {len(runs)} run(s) so far")
        drains(installation)
        sick = services.attempt("serve", ["healthcheck"]).returncode
        print(f"health check of what is stopped: {sick}")
        if sick != 1:
            raise SystemExit("the health check finds well what is gone")
    finally:
        services.kill()
    print("not shown without an engine: that the base images can be pulled and have what this machine has, that compose's networks")
    print("keep the services apart (here they share one), memory and process limits, restarts, and that the volumes live on.")


if __name__ == "__main__":
    place = pathlib.Path(sys.argv[2]).resolve()
    if sys.argv[1] == "build":
        build(place, sys.argv[3] if len(sys.argv) > 3 else None)
    else:
        run(place)
