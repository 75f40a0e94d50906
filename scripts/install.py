"""Install the project and a lock file into a virtual environment; runs on a bare Python 3.10 to 3.14."""

import subprocess
import sys
import venv
from pathlib import Path


def main(folder: str, lock: str) -> None:
    """Make the environment in ``folder`` and install ``lock`` and this project into it."""
    if not (3, 10) <= sys.version_info[:2] <= (3, 14):
        sys.exit(f"Python 3.10 to 3.14 is needed; this is {sys.version.split()[0]}. Try: make PYTHON=python3.14 demo")
    target = Path(folder)
    print(f"Installing into {folder}; this takes a minute the first time.", flush=True)
    try:
        venv.create(target, with_pip=True, clear=not (target / ".installed").exists())
    except subprocess.CalledProcessError:
        sys.exit("This Python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv")
    pip = [str(target / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--require-hashes", "--requirement", lock], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", "."], check=True)
    (target / ".installed").touch()


if __name__ == "__main__":
    main(*sys.argv[1:])
