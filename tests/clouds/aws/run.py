"""Runs the package beside it. It must never do more: scripts/aws-emulator starts this, and needs no PYTHONPATH."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))  # loopback/

from emulator.__main__ import main

sys.exit(main())
