"""Install the project and a lock file into a virtual environment; runs on a bare Python 3.10 to 3.14."""

import re
import subprocess
import sys
import tempfile
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
    python = str(target / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    locked = ["--no-deps", "--require-hashes", "--requirement"]
    with tempfile.TemporaryDirectory() as temporary:
        uv_alone = Path(temporary) / "uv.lock"
        uv_alone.write_text(_pinned("uv", Path(lock).read_text(encoding="utf-8")), encoding="utf-8")
        subprocess.run([*pip, *locked, str(uv_alone)], check=True)
    # uv takes a third of the time of pip, but knows no index of its configuration: behind one, pip does it.
    uv = [python, "-m", "uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", python]
    if subprocess.run([*uv, *locked, lock], check=False).returncode:
        print("uv could not install the packages; pip does it now.", flush=True)
        subprocess.run([*pip, *locked, lock], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", "."], check=True)
    (target / ".installed").touch()


def _pinned(name: str, lock: str) -> str:
    """Return one package's lines of a lock file: its version, and its hashes on the lines that follow."""
    found = re.search(rf"^{name}==(?:.*\\\n)*.*\n", lock, re.MULTILINE)
    if not found:
        sys.exit(f"{name} is missing from the lock file")
    return found[0]


if __name__ == "__main__":
    main(*sys.argv[1:])
