"""The services of docker-compose.yml as processes: each with its own command line, environment, mounts, user and limits, in one
network namespace that stands in for compose's networks. PostgreSQL is not among them: scripts/with-postgres has it.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import compose
import dockerfile

SANDBOX = pathlib.Path(__file__).with_name("sandbox.py")
_PLACE = ("unshare", "--mount", "--pid", "--fork", "--kill-child")


class Services:
    def __init__(self, place: pathlib.Path, stages: dict, described: dict, python_path: str):
        self.place, self.stages, self.all = place, stages, described["services"]
        self._python_path = python_path
        self.running: dict[str, subprocess.Popen] = {}

    def run(self, name: str, words: list[str] | None = None) -> str:
        """To its end, which has to be good; what it printed."""
        done = self.attempt(name, words)
        if done.returncode != 0:
            raise SystemExit(f"{name} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def attempt(self, name: str, words: list[str] | None = None) -> subprocess.CompletedProcess:
        return subprocess.run(self._words(name, words), capture_output=True, text=True, timeout=60)

    def start(self, name: str) -> None:
        log = open(self.place / f"{name}.log", "a")
        self.running[name] = subprocess.Popen(self._words(name), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def healthy(self, name: str, within: int = 60) -> float:
        """Runs the service's health check, as often as it takes; the seconds that it took."""
        service, begun = self.all[name], time.monotonic()
        test = service["healthcheck"]["test"]
        assert test[0] == "CMD", test
        while True:
            done = self._check(name, test[1:])
            if done.returncode == 0:
                return time.monotonic() - begun
            if time.monotonic() - begun > within or self.running[name].poll() is not None:
                raise SystemExit(f"{name} is not healthy: {done.stdout}{done.stderr}{self.log(name)}")
            time.sleep(0.2)

    def _check(self, name: str, test: list[str]) -> subprocess.CompletedProcess:
        words = self._words(name, test, entry=[])
        return subprocess.run(words, capture_output=True, text=True, timeout=30)

    def stop(self, name: str) -> float:
        """SIGTERM to the service's own first process; it has to end well within its time. The seconds that it took."""
        process, begun = self.running.pop(name), time.monotonic()
        os.kill(self.pid(process), signal.SIGTERM)
        grace = compose.seconds(self.all[name]["stop_grace_period"])
        code = process.wait(timeout=grace)
        if code != 0:
            raise SystemExit(f"{name} ended with {code} at SIGTERM: {self.log(name)}")
        return time.monotonic() - begun

    @staticmethod
    def pid(process: subprocess.Popen) -> int:
        """Whom `unshare` has started: process 1 of its namespace."""
        return int(pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])

    def log(self, name: str) -> str:
        return (self.place / f"{name}.log").read_text()

    def kill(self) -> None:
        for process in self.running.values():
            process.kill()

    def _words(self, name: str, words: list[str] | None = None, entry: list[str] | None = None) -> list[str]:
        service = self.all[name]
        stage = service["build"]["target"]
        image = self.stages[stage]
        entry = dockerfile.words(image, "ENTRYPOINT") if entry is None else entry
        spec = {
            "root": str(self._mountpoint(name)),
            "files": "/" if stage == "emulators" else str(self.place / stage),
            "directory": dockerfile.last(image, "WORKDIR", "/"),
            "words": entry + (service["command"] if words is None else words),
            "environment": {**dockerfile.environment(image), **service.get("environment", {}), "PATH": _PATH},
            "user": service["user"],
            "read_only": service.get("read_only", False),
            "no_capabilities": service.get("cap_drop") == ["ALL"],
            "no_new_privileges": "no-new-privileges:true" in service.get("security_opt", []),
            "tmpfs": service.get("tmpfs", []),
            "volumes": [self._volume(volume, image, stage) for volume in service.get("volumes", [])],
        }
        if stage == "emulators":
            # The root is this machine's, read-only: the image's own folder is somewhere else in it.
            here = str(self.place / stage)
            spec["directory"] = here + spec["directory"]
            spec["words"] = [here + word if word.startswith("/emulators/") else word for word in spec["words"]]
            spec["environment"]["PATH"] = self._python_path
        network = ["--net"] if service.get("network_mode") == "none" else []
        return [*_PLACE, *network, sys.executable, str(SANDBOX), json.dumps(spec)]

    def _mountpoint(self, name: str) -> pathlib.Path:
        path = self.place / "roots" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _volume(self, text: str, image: dict, stage: str) -> tuple[str, str, str]:
        source, target, *mode = text.split(":")
        if source.startswith("."):
            return str(dockerfile.ROOT / source), target, *(mode or ["rw"])
        volume = self.place / "volumes" / source
        if not volume.exists():
            # An engine gives a new volume the owner and mode of the folder that it covers.
            covered = (self.place / stage / target.lstrip("/")).stat()
            volume.mkdir(parents=True)
            os.chown(volume, covered.st_uid, covered.st_gid)
            volume.chmod(covered.st_mode & 0o7777)
        return str(volume), target, *(mode or ["rw"])


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
