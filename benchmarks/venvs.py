"""Make the contenders' environments below ``benchmarks/.venvs``: ``python benchmarks/venvs.py [name ...]``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from catalog import FOLDER, REQUIREMENTS, VENVS

STAMP = "installed.txt"


def make(name: str) -> None:
    """Make one environment, unless it stands already with the same requirements.

    Raises:
        subprocess.CalledProcessError: The installer failed; its own message says why.
    """
    wanted = FOLDER / "contenders" / REQUIREMENTS[name]
    folder = VENVS / name
    stamp = folder / STAMP
    if stamp.exists() and stamp.read_text() == wanted.read_text():
        return
    print(f"making {folder.relative_to(FOLDER.parent)}", flush=True)
    python = folder / "bin" / "python"
    if uv := _uv():
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "-r", wanted], check=True
        )
    else:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", wanted], check=True)
    stamp.write_text(wanted.read_text())


def _uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def main() -> None:
    """Make the environments named on the command line, or all."""
    for name in sys.argv[1:] or REQUIREMENTS:
        if name not in REQUIREMENTS:
            raise SystemExit(f"there is no environment {name!r}; there are {', '.join(REQUIREMENTS)}")
        make(name)


if __name__ == "__main__":
    main()
