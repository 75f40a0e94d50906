"""A process that ends quickly ends as any other: its status, its last words, and what is registered for its exit."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys
from crm_assets.process import run_briefly

def program():
    atexit.register(print, "registered")
    print("said", end="")
    {ending}

run_briefly(program)
"""


@pytest.mark.parametrize(
    ("ending", "status", "said"),
    [
        ("return None", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(130)", 130, ""),
        ("sys.exit('No such table.')", 1, "No such table.\n"),
        ("raise ValueError('torn')", 1, "ValueError: torn\n"),
    ],
)
def test_it_ends_as_any_other(ending: str, status: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(ending=ending)], capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert done.stdout == "saidregistered\n"
    assert done.stderr.endswith(said)
    assert bool(done.stderr) == bool(said)
