"""Get the one program the tests need that no Python package ships: a browser.

PostgreSQL comes from the lock file. A browser is taken where there is one, else installed by the system's package
manager, if this account may do that; else one sentence names the package.
"""

import os
import shutil
import subprocess
import sys

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MANAGERS = {
    "apt-get": ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"],
    "dnf": ["dnf", "install", "-y", "-q", "chromium"],
    "apk": ["apk", "add", "-q", "chromium"],
    "pacman": ["pacman", "-S", "--noconfirm", "--quiet", "chromium"],
}


def main() -> None:
    """Install a browser where there is none."""
    if any(map(shutil.which, BROWSERS)):
        return
    manager, prefix = next(filter(shutil.which, MANAGERS), None), as_root()
    if manager and prefix is not None:
        print("Installing Chromium for the tests of the UI; this takes a minute the first time.", flush=True)
        if manager == "apt-get":
            subprocess.run([*prefix, "apt-get", "update", "-qq"], check=False, stdout=subprocess.DEVNULL)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([*prefix, *MANAGERS[manager]], check=False, env=environment, stdout=subprocess.DEVNULL)
    if not any(map(shutil.which, BROWSERS)):
        sys.exit("The tests of the UI need a browser: install the package chromium (or Google Chrome) and run again.")


def as_root() -> list[str] | None:
    """Return what a command of the administrator begins with, or ``None`` if this account cannot run one."""
    if os.geteuid() == 0:
        return []
    sudo = [shutil.which("sudo") or "false", "-n"]
    return sudo if subprocess.run([*sudo, "true"], check=False, capture_output=True).returncode == 0 else None


if __name__ == "__main__":
    main()
