"""Parquet files in whole row groups: all rows in order, as many to a group as DuckDB has, none held beyond the room."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_assets.extract.staging.parquet_writer import ROW_GROUP_SIZE, RowGroups

SCHEMA = pa.schema([pa.field("id", pa.int64(), nullable=False), ("name", pa.string())])


def written(path: Path, sizes: list[int], room: int) -> list[int]:
    """Write tables of these sizes; return the row groups' sizes, after a look at every row."""
    file, total = RowGroups(path, SCHEMA, room), 0
    for size in sizes:
        ids = pa.array(range(total, total + size), pa.int64())
        file.add(pa.table([ids, ids.cast(pa.string())], schema=SCHEMA))
        total += size
    file.close()
    found = pq.read_table(path)
    assert found.schema == SCHEMA
    assert found["id"].to_pylist() == list(range(total))
    assert found["name"].to_pylist() == [str(number) for number in range(total)]
    groups = pq.read_metadata(path)
    return [groups.row_group(position).num_rows for position in range(groups.num_row_groups)]


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ([], [0]),
        ([0, 0], [0]),
        ([1, 2, 3], [6]),
        ([ROW_GROUP_SIZE], [ROW_GROUP_SIZE]),
        ([100_000] * 3, [ROW_GROUP_SIZE, ROW_GROUP_SIZE, 300_000 - 2 * ROW_GROUP_SIZE]),
        ([1, 3 * ROW_GROUP_SIZE, 1], [ROW_GROUP_SIZE, ROW_GROUP_SIZE, ROW_GROUP_SIZE, 2]),
    ],
)
def test_rows_are_written_in_whole_row_groups(sizes: list[int], groups: list[int], tmp_path: Path) -> None:
    assert written(tmp_path / "rows.parquet", sizes, room=10**9) == groups


def test_no_more_is_held_than_there_is_room_for(tmp_path: Path) -> None:
    assert written(tmp_path / "rows.parquet", [1_000] * 7, room=40_000) == [3_000, 3_000, 1_000]
