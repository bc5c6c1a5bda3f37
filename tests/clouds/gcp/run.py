"""Runs the package beside it. It must never do more: scripts/gcp-emulator starts this, and needs no PYTHONPATH."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))  # loopback/

from emulator.__main__ import main  # noqa: E402

sys.exit(main())
