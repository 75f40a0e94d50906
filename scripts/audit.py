"""Look the locked packages up in the advisory database; an unreachable database is reported, not a failure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

AUDIT = "pip-audit==2.9.0"
PATIENCE = 120
"""Seconds the database gets to answer."""


def main(locks: list[str]) -> int:
    """Audit lock files and return the exit code: 1 if an advisory concerns a locked package.

    Args:
        locks: Lock files; requirements.lock when there are none.
    """
    uv = Path(sys.executable).with_name("uv")
    files = [part for lock in locks or ["requirements.lock"] for part in ("--requirement", lock)]
    command = [str(uv), "tool", "run", AUDIT, "--disable-pip", "--progress-spinner", "off", *files]
    try:
        audit = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        audit = subprocess.CompletedProcess(command, 1, "", "")
    print(audit.stdout + audit.stderr, end="")
    if audit.returncode and "known vulnerabilit" not in audit.stdout + audit.stderr:
        print("The advisory database did not answer; nothing is known of the locked packages today.")
        return 0
    return audit.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
