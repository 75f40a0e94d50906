"""The PostgreSQL server of the hub: the Dagster instance's and the warehouse's."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from crm_assets.commands.local_postgres import programs
from machines.namespaces import HUB_HOST, NETWORK


@contextmanager
def postgres(folder: Path) -> Iterator[None]:
    """Run the server, its data in a folder."""
    home = folder / "pg"
    home.mkdir()
    shutil.chown(home, "nobody")
    options = f"-p 5432 -k {home} -c listen_addresses={HUB_HOST} -c fsync=off -c max_connections=200"

    def run(program: str, *arguments: str) -> None:
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        command = [str(programs() / program), "-D", f"{home}/data", *arguments]
        subprocess.run(command, user="nobody", cwd="/", env=environment, check=True, stdout=subprocess.DEVNULL)

    run("initdb", "-A", "trust", "-U", "loader", "-E", "UTF8", "--no-sync")
    with (home / "data" / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {NETWORK} trust\n")
    run("pg_ctl", "-l", f"{home}/log", "-o", options, "-w", "start")
    try:
        yield
    finally:
        run("pg_ctl", "-m", "immediate", "-w", "stop")


def query(url: str, sql: str) -> list[tuple[object, ...]]:
    """Return the rows of a statement."""
    database = psycopg2.connect(url)
    try:
        database.autocommit = True
        with database.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        database.close()
