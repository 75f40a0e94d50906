"""Run the package of a given folder as `crm-assets` would run the installed one."""

from __future__ import annotations

import os
import sys

folder = sys.argv.pop(1)
sys.path.insert(0, folder)
os.environ["PYTHONPATH"] = folder  # for the processes it starts

from crm_assets.cli import run  # noqa: E402

run()
