"""Declared columns whose source no record contains: mostly a path or a name that is not quite the server's."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.duckdb_paths import json_paths
from crm_assets.extract.decode.duckdb_types import literal
from crm_assets.extract.decode.records import Records

_EXACT_LOOKS = 10
"""Batches that are parsed for paths of which the last name occurs; those behind them are looked at for values alone."""


class AbsentColumns:
    """Watches over the batches of a read for columns that never have a value.

    A value shows that the path is there. Where a batch has none, the name is looked for in the bytes of its pages, and
    only where that occurs are they parsed: a field that is always null is there, too.

    Args:
        resource: The declaration.
        database: An in-memory DuckDB connection.
    """

    def __init__(self, resource: Resource, database: duckdb.DuckDBPyConnection) -> None:
        included = resource.endpoint.include.field if resource.endpoint.include else None
        paths = {name: column.wire_path(name) for name, column in resource.columns.items() if not column.placeholder}
        self._paths = {name: path for name, path in paths.items() if path[0] != included}
        self._database = database
        self._records = 0
        self._looks = 0

    @property
    def columns(self) -> dict[str, int]:
        """Columns that none of the records contained, with the number of records."""
        return dict.fromkeys(self._paths, self._records) if self._records else {}

    def note(self, rows: pa.Table, pages: list[Records]) -> None:
        """Take note of a batch: its rows, and the pages they were made of."""
        self._paths = {name: path for name, path in self._paths.items() if rows[name].null_count == rows.num_rows}
        if self._looks == _EXACT_LOOKS:
            return
        self._records += sum(page.count for page in pages)
        named = [name for name, path in self._paths.items() if any(_may_occur(page.array, path[-1]) for page in pages)]
        if named:
            self._looks += 1
            there = self._contained(named, pages)
            self._paths = {name: path for name, path in self._paths.items() if name not in there}

    def _contained(self, names: list[str], pages: list[Records]) -> list[str]:
        conditions = [
            " OR ".join(f"json_exists(r, {literal(path)})" for path in json_paths(self._paths[name])) for name in names
        ]
        found = self._database.execute(
            f"SELECT {', '.join(f'coalesce(bool_or({condition}), false)' for condition in conditions)} "
            "FROM (SELECT unnest(from_json(page, '[\"JSON\"]')) AS r FROM (SELECT unnest(?::VARCHAR[]) AS page))",
            [[page.array.decode() for page in pages]],
        ).fetchall()
        return [name for name, there in zip(names, found[0], strict=True) if there]


def _may_occur(page: bytes, name: str) -> bool:
    """Return whether a name may occur in JSON, where others are positions in lists or are written with escapes."""
    return name.lstrip("-").isdigit() or not name.isascii() or b"\\u" in page or f'"{name}"'.encode() in page
