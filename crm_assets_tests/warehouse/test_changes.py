"""What changed: when each row was first seen and last changed, and how many rows of a read did."""

from __future__ import annotations

from typing import Any

import pytest

from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.installation import Installation, Row


def times(here: Installation, table: str) -> dict[Any, tuple[Any, Any]]:
    return {row["id"]: (row["_first_seen_at"], row["_changed_at"]) for row in here.query(f"SELECT * FROM {table}")}


def last_entry(here: Installation, resource: str) -> Row:
    (entry,) = here.query(
        f"SELECT rows, rows_new, rows_changed, rows_unchanged, deleted, table_rows FROM paging._reads "
        f"WHERE resource = '{resource}' ORDER BY finished_at DESC LIMIT 1"
    )
    return entry


@pytest.mark.parametrize("resource", ["by_page"])
def test_reading_the_same_again_changes_nothing(paging: Installation, resource: str) -> None:
    before = times(paging, f"paging.{resource}")
    assert all(first and first == changed for first, changed in before.values())
    assert paging.materialize(f"paging/{resource}").success
    assert times(paging, f"paging.{resource}") == before
    entry = last_entry(paging, resource)
    assert (entry["rows_new"], entry["rows_changed"], entry["rows_unchanged"]) == (0, 0, entry["rows"])
    assert entry["table_rows"] == entry["rows"]


def test_new_changed_and_deleted_rows_are_counted_and_dated(paging: Installation, sandbox: FaultySandbox) -> None:
    before, rows = times(paging, "paging.by_page"), {row["id"]: row for row in paging.table("paging", "by_page")}
    sandbox.state = 3
    assert paging.materialize("paging/by_page").success
    after = times(paging, "paging.by_page")
    now = {row["id"]: row for row in paging.table("paging", "by_page", "_deleted_at IS NULL")}
    new, gone = now.keys() - rows.keys(), rows.keys() - now.keys()
    changed = {key for key in now.keys() & rows.keys() if now[key] != rows[key]}
    assert new
    assert gone
    assert changed
    assert {key for key in before if after[key][0] != before[key][0]} == set()
    assert {key for key in before if after[key][1] != before[key][1]} == changed | gone
    entry = last_entry(paging, "by_page")
    assert (entry["rows_new"], entry["rows_changed"], entry["deleted"]) == (len(new), len(changed), len(gone))
    assert entry["table_rows"] == len(now)


def test_a_row_that_comes_back_has_changed(paging: Installation) -> None:
    paging.change("UPDATE paging.by_page SET _deleted_at = now() WHERE id = (SELECT min(id) FROM paging.by_page)")
    before = times(paging, "paging.by_page")
    assert paging.materialize("paging/by_page").success
    after = times(paging, "paging.by_page")
    assert [key for key in before if after[key] != before[key]] == [min(before)]


def test_a_table_of_before_gets_the_columns_and_invents_no_past(paging: Installation) -> None:
    paging.change("DROP VIEW paging.by_page__current")
    for name in ("_first_seen_at", "_changed_at"):
        paging.change(f"ALTER TABLE paging.by_page DROP COLUMN {name}")
    for name in ("rows_new", "rows_changed", "rows_unchanged", "table_rows"):
        paging.change(f"ALTER TABLE paging._reads DROP COLUMN {name}")
    paging.change("UPDATE paging.by_page SET name = 'before' WHERE id = (SELECT min(id) FROM paging.by_page)")
    assert paging.materialize("paging/by_page").success
    after = times(paging, "paging.by_page")
    assert {key for key, (_, changed) in after.items() if changed} == {min(after)}
    assert {first for first, _ in after.values()} == {None}
    assert last_entry(paging, "by_page")["rows_changed"] == 1
