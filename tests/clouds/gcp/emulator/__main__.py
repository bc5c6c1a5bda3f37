"""Starts the emulator, by way of scripts/gcp-emulator. It owns the command line and the end.

It must never leave anything running: it ends on SIGTERM and SIGINT, with `--parent-watch` also when its stdin closes,
and with `--with` when the command does.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading

from loopback.server import Server

from .catalog import PROJECT
from .front import Front


def main() -> int:
    options = _options()
    front = Front({} if options.settle is None else {"settle": options.settle})
    server = Server(front.answer, options.port)
    front.address = f"127.0.0.1:{server.port}"
    server.start()
    url = f"http://{front.address}"
    if options.command:
        return _run(options.command, url)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    print(f"GCP_ENDPOINT_URL={url}", flush=True)
    if options.parent_watch:
        threading.Thread(target=_watch_stdin, daemon=True).start()
    threading.Event().wait()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="gcp-emulator", description="A Compute Engine and Cloud KMS endpoint on loopback."
    )
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; 0, the default, takes a free one")
    parser.add_argument("--settle", type=float, metavar="SECS", help="how long operations last (2)")
    parser.add_argument("--parent-watch", action="store_true", help="end when stdin closes")
    parser.add_argument("--with", dest="with_command", action="store_true", help="run the command after --, then end")
    parser.add_argument("command", nargs="*", metavar="-- CMD ARGS", help="with --with: what to run")
    options = parser.parse_args()
    if options.with_command != bool(options.command):
        parser.error("--with and a command after -- go together")
    if options.settle is not None and options.settle < 0:
        parser.error("--settle takes seconds from 0")
    return options


def environment(url: str) -> dict:
    """What points Google's tools at the emulator."""
    return {
        "GCP_ENDPOINT_URL": url,
        "GCE_METADATA_HOST": url.removeprefix("http://"),
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": f"{url}/compute/v1/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS": f"{url}/",
        "CLOUDSDK_AUTH_ACCESS_TOKEN": "emulated",
        "CLOUDSDK_CORE_PROJECT": PROJECT,
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
    }


def _run(command: list[str], url: str) -> int:
    try:
        child = subprocess.Popen(command, env={**os.environ, **environment(url)})
    except OSError as error:
        print(f"gcp-emulator: cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the command as well
    code = child.wait()
    return code if code >= 0 else 128 - code


def _watch_stdin() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
