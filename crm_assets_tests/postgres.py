"""An installation that loads into a PostgreSQL server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import psycopg2
from psycopg2.extras import RealDictCursor

from crm_assets_tests.installation import Installation, Row

URL = "DESTINATION__POSTGRES__CREDENTIALS"
"""The variable that names the server and the database to load into."""

COLUMN_TYPES = {
    "text": "character varying",
    "bigint": "bigint",
    "double": "double precision",
    "decimal": "numeric",
    "bool": "boolean",
    "timestamp": "timestamp with time zone",
    "date": "date",
    "json": "jsonb",
}
"""What the catalogue calls the columns of each declared type."""
_NUMBERS = count()


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

    def clear(self) -> None:
        """Drop the connections' schemas."""
        for connection in self.connections:
            self.change(f'DROP SCHEMA IF EXISTS "{connection}" CASCADE')


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Make an empty database on a server, given by a URL of it, and yield its URL; drop it in the end."""
    name = f"database_{next(_NUMBERS)}"
    administer(server, f"CREATE DATABASE {name}")
    yield f"{server.rpartition('/')[0]}/{name}"
    administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def administer(server: str, *statements: str) -> None:
    """Run statements about whole databases, while connected to none that tests use."""
    database = psycopg2.connect(f"{server.rpartition('/')[0]}/postgres")
    database.autocommit = True
    with database.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    database.close()


@contextmanager
def _connected() -> Iterator[psycopg2.extensions.connection]:
    database = psycopg2.connect(os.environ[URL])
    try:
        with database:
            yield database
    finally:
        database.close()
