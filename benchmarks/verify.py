"""Check that a contender loaded what the server holds: count, distinct ids, sum of a column."""

from __future__ import annotations

from pathlib import Path

import duckdb


def loaded(database: Path, table: str) -> dict[str, int]:
    """Return count, distinct ids and the sum of ``amount_cents`` of a table in a DuckDB file."""
    with duckdb.connect(str(database), read_only=True) as connection:
        row = connection.execute(
            f"SELECT count(*), count(DISTINCT id), sum(amount_cents)::BIGINT FROM {table}"
        ).fetchone()
    assert row
    return dict(zip(("count", "distinct", "checksum"), (int(value or 0) for value in row), strict=True))


def differences(database: Path, tables: tuple[str, ...], expected: dict[str, int]) -> list[str]:
    """Return what is wrong with the tables, as sentences; an empty list if nothing is."""
    found = []
    for table in tables:
        try:
            got = loaded(database, table)
        except duckdb.Error as error:
            found.append(f"{table} cannot be read: {str(error).splitlines()[0]}")
            continue
        found += [f"{table}: {key} is {got[key]}, not {value}" for key, value in expected.items() if got[key] != value]
    return found
