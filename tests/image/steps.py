"""The images' steps by hand: each stage of the Dockerfile becomes a folder. It downloads no image.

What stands in for a base image: this machine's Rust, its Python, and of Debian the libraries that the binary asks for, each of which
has to be one that the slim image has.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

import dockerfile

# What every Debian has, the slim image included, and the binary may ask for (packages.debian.org, debian:bookworm-slim's list).
SLIM = {"libc6", "libgcc-s1"}


def context(place: pathlib.Path) -> int:
    """What is committed and passes .dockerignore, in an empty folder; the bytes of it."""
    archive = place / "head.tar"
    subprocess.run(["git", "archive", "--format=tar", "--output", str(archive), "HEAD"], cwd=dockerfile.ROOT, check=True)
    with tarfile.open(archive) as tar:
        files = [member for member in tar.getmembers() if member.isfile()]
        ignore = tar.extractfile(".dockerignore").read().decode()
        passed = set(dockerfile.sent([member.name for member in files], ignore))
        chosen = [member for member in files if member.name in passed]
        tar.extractall(place / "context", members=chosen, filter="data")
    archive.unlink()
    print(f"context: {len(chosen)} of {len(files)} committed files, {sum(m.size for m in chosen) // 1024} KiB")
    return len(chosen)


def stage(place: pathlib.Path, name: str, found: dict, path: str, caches: dict) -> pathlib.Path:
    """Does the COPY and RUN steps of a stage, in order, below a folder of its own."""
    root, directory = place / name, "/"
    root.mkdir()
    for step in found["steps"]:
        if step["word"] == "WORKDIR":
            directory = step["value"]
            _below(root, directory).mkdir(parents=True, exist_ok=True)
        elif step["word"] == "COPY":
            _copy(place, root, directory, step["value"])
        elif step["word"] == "RUN":
            _run(root, directory, step["value"], path, caches)
    return root


def _below(root: pathlib.Path, path: str, directory: str = "/") -> pathlib.Path:
    return root / os.path.join(directory, path).lstrip("/")


def _copy(place: pathlib.Path, root: pathlib.Path, directory: str, value: str) -> None:
    given, rest = dockerfile.flags(value)
    *sources, target = rest.split()
    into = _below(root, target, directory)
    for source in sources:
        if "from" in given:
            origin = place / given["from"][0] / source.lstrip("/")
            # The certificates come with the base image, which here is this machine.
            origin = origin if origin.exists() else pathlib.Path(source)
        else:
            origin = place / "context" / source
        destination = into / origin.name if target.endswith("/") else into
        destination.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, destination, dirs_exist_ok=True)
        else:
            shutil.copy2(origin, destination)


def _run(root: pathlib.Path, directory: str, value: str, path: str, caches: dict) -> None:
    given, command = dockerfile.flags(value)
    for mount in given.get("mount", []):
        options = dict(option.split("=") for option in mount.split(","))
        if target := caches.get(options["id"]):
            cache = _below(root, options["target"])
            cache.parent.mkdir(parents=True, exist_ok=True)
            cache.symlink_to(target)
    # What an image's root is, is the stage's folder here.
    command = re.sub(r"(?<=\s)/(?=\S)", f"{root}/", command)
    print(f"{root.name}: {' '.join(command.split())}", flush=True)
    environment = {**os.environ, "PATH": path}
    environment.pop("CARGO_TARGET_DIR", None)
    where = _below(root, directory)
    done = subprocess.run(["/bin/sh", "-c", command], cwd=where, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{root.name}: that ended with {done.returncode}: {done.stdout[-4000:]}{done.stderr[-4000:]}")


def libraries(root: pathlib.Path, binary: str) -> list[str]:
    """Puts what the binary is linked to beside it. Raises where the slim image would not have it."""
    told = subprocess.run(["ldd", root / binary.lstrip("/")], check=True, capture_output=True, text=True).stdout
    paths = re.findall(r"(/\S+) \(0x", told)
    for path in paths:
        real = os.path.realpath(path)
        # dpkg knows a file by the name that its package gave it, before /lib became a link to /usr/lib.
        names = {path, real, real.removeprefix("/usr")}
        told = subprocess.run(["dpkg", "--search", *names], capture_output=True, text=True).stdout
        package = told.split(":")[0]
        if package not in SLIM:
            raise SystemExit(f"{path} is of {package or 'no package'}, which the slim image does not have")
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(real, target)
    for folder in ("proc", "dev", "tmp", "etc/provisioner"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    (root / "etc/provisioner/config.toml").touch()
    return [pathlib.Path(path).name for path in paths]


def python(place: pathlib.Path) -> str:
    """An environment whose interpreter others than root may run; the path on which `pip` and `python` are."""
    usable = [name for name in ("/usr/bin/python3", sys.executable) if _is_open(name)]
    if not usable:
        raise SystemExit("no Python 3.11 or newer that another user could run: on Debian apt-get install python3")
    venv = place / "python"
    subprocess.run([usable[0], "-m", "venv", "--without-pip", venv], check=True)
    shim = venv / "bin/pip"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pip --python "{venv}/bin/python" "$@"\n')
    shim.chmod(0o755)
    return f"{venv}/bin:{os.environ['PATH']}"


def _is_open(name: str) -> bool:
    real = pathlib.Path(os.path.realpath(name))
    is_new = subprocess.run([name, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]).returncode == 0
    return is_new and all(parent.stat().st_mode & 0o005 == 0o005 for parent in real.parents)
