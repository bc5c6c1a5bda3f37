"""Starts the emulator: `python -m emulator`, or by way of scripts/aws-emulator. It owns the command line and the end.

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

from . import beneath
from .front import Front


def main() -> int:
    options = _options()
    front = Front({} if options.settle is None else {"settle": options.settle})
    server = Server(front.answer, options.port)
    server.start()
    beneath.warm()
    url = f"http://127.0.0.1:{server.port}"
    if options.command:
        return _run(options.command, url)
    _stop_on_signals()
    print(f"AWS_ENDPOINT_URL={url}", flush=True)
    if options.parent_watch:
        threading.Thread(target=_watch_stdin, daemon=True).start()
    threading.Event().wait()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="aws-emulator", description="An EC2 and KMS endpoint on loopback, stricter than moto."
    )
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; 0, the default, takes a free one")
    parser.add_argument("--settle", type=float, metavar="SECS", help="how long states in passing last (2)")
    parser.add_argument("--parent-watch", action="store_true", help="end when stdin closes")
    parser.add_argument("--with", dest="with_command", action="store_true", help="run the command after --, then end")
    parser.add_argument("command", nargs="*", metavar="-- CMD ARGS", help="with --with: what to run")
    options = parser.parse_args()
    if options.with_command != bool(options.command):
        parser.error("--with and a command after -- go together")
    if options.settle is not None and options.settle < 0:
        parser.error("--settle takes seconds from 0")
    return options


def _run(command: list[str], url: str) -> int:
    region = os.environ.get("AWS_REGION", "us-east-1")
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "emulated",
        "AWS_SECRET_ACCESS_KEY": "emulated",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }
    try:
        child = subprocess.Popen(command, env=environment)
    except OSError as error:
        print(f"aws-emulator: cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the command as well
    code = child.wait()
    return code if code >= 0 else 128 - code


def _stop_on_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))


def _watch_stdin() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
