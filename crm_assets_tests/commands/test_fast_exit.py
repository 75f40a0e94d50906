"""A process that ends quickly ends as any other: its status, its last words, and what is registered for its exit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import atexit, sys
from crm_assets.commands.fast_exit import run_and_exit

def program():
    atexit.register(print, "registered")
    print("said", end="")
    {ending}

run_and_exit(program)
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


@pytest.mark.parametrize(("ending", "status"), [("return None", 120), ("sys.exit(2)", 2)])
def test_words_that_cannot_be_written_are_no_success(ending: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # the words are to wait for the exit
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", PROGRAM.format(ending=ending)], stdout=full, check=False)
    assert done.returncode == status
