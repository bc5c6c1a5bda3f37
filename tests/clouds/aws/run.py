"""Runs the package beside it. It must never do more: scripts/aws-emulator starts this, and needs no PYTHONPATH."""

import sys

from emulator.__main__ import main

sys.exit(main())
