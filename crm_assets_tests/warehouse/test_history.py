"""Versions of rows: each begins and ends with a read, and always agrees with the table."""

from __future__ import annotations

import pytest

from crm_assets.declarations.connection_overrides import apply_connection
from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.models.connection import Connection
from crm_assets_tests.conftest import Build
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.installation import Installation, Row, failure

PAGE = "paging/by_page"


@pytest.fixture
def kept(paging: Installation, house: Build, connections: dict[str, Connection]) -> Installation:
    """The data of ``paging``, loaded before versions were kept, and kept from now on."""
    return house(
        apply_connection(connections["paging"].model_copy(update={"history": ("by_page",)})), folder=paging.folder
    )


def versions(here: Installation, where: str = "true") -> list[Row]:
    return here.query(f"SELECT * FROM paging.by_page__history WHERE {where} ORDER BY id, _valid_from")


def loaded(here: Installation) -> str:
    return failure(here.materialize(PAGE))


def agree(here: Installation) -> bool:
    """Whether the current versions are the rows of the table."""
    values = "id, name, amount, _extra, _misfits, {} AS since"
    now = f"SELECT {values.format('_changed_at')} FROM paging.by_page__current"
    current = f"SELECT {values.format('_valid_from')} FROM paging.by_page__history WHERE _valid_to IS NULL"
    return here.query(f"(({now}) EXCEPT ({current})) UNION ALL (({current}) EXCEPT ({now}))") == []


def test_a_version_ends_where_the_next_begins(kept: Installation, sandbox: FaultySandbox) -> None:
    first = {row["id"]: row for row in kept.table("paging", "by_page")}
    assert loaded(kept) == ""
    begun = versions(kept)
    assert [row["id"] for row in begun] == sorted(first)
    assert loaded(kept) == ""
    assert versions(kept) == begun, "reading the same again begins nothing"
    sandbox.state = 3
    assert loaded(kept) == ""
    assert agree(kept)
    now = {row["id"]: row for row in kept.table("paging", "by_page", "_deleted_at IS NULL")}
    changed = {key for key in first.keys() & now.keys() if first[key] != now[key]}
    gone, new = first.keys() - now.keys(), now.keys() - first.keys()
    assert changed
    assert gone
    ended = {row["id"]: row["_valid_to"] for row in versions(kept, "_valid_to IS NOT NULL")}
    assert ended.keys() == changed | gone
    begins = {row["id"]: row["_valid_from"] for row in versions(kept, "_valid_to IS NULL")}
    assert all(begins[key] == ended[key] for key in changed)
    deleted = kept.query("SELECT id, _deleted_at FROM paging.by_page WHERE _deleted_at IS NOT NULL")
    assert {row["id"]: row["_deleted_at"] for row in deleted} == {key: ended[key] for key in gone}
    assert len(versions(kept)) == len(first) + len(changed) + len(new)


def test_a_load_that_breaks_off_leaves_no_version(kept: Installation, sandbox: FaultySandbox) -> None:
    assert loaded(kept) == ""
    before, rows = versions(kept), kept.table("paging", "by_page")
    kept.change("CREATE UNIQUE INDEX refuses_second_versions ON paging.by_page__history (id)")
    sandbox.state = 3
    result = kept.materialize(PAGE)
    assert "Its rows are as they were." in failure(result)
    assert (versions(kept), kept.table("paging", "by_page")) == (before, rows)
    kept.change("DROP INDEX paging.refuses_second_versions")
    assert loaded(kept) == ""
    assert agree(kept)


def test_what_was_done_by_hand_is_made_good(kept: Installation) -> None:
    assert loaded(kept) == ""
    kept.change("DELETE FROM paging.by_page__history WHERE id = (SELECT min(id) FROM paging.by_page)")
    kept.change("ALTER TABLE paging.by_page__history ALTER amount TYPE VARCHAR")
    kept.change("ALTER TABLE paging.by_page__history DROP COLUMN name")
    assert loaded(kept) == ""
    assert len(versions(kept, "_valid_to IS NULL")) == len(kept.table("paging", "by_page"))
    assert {"amount", "amount__v_text", "name"} <= versions(kept)[0].keys()


def test_versions_need_rows_that_can_be_recognized(connections: dict[str, Connection]) -> None:
    paging = connections["paging"]
    with pytest.raises(SpecError, match="nowhere"):
        apply_connection(paging.model_copy(update={"history": ("nowhere",)}))
    appended = [one.model_copy(update={"write_disposition": "append"}) for one in paging.system.resources]
    system = paging.system.model_copy(update={"resources": tuple(appended)})
    with pytest.raises(SpecError, match="versions are kept of rows that are merged by their key"):
        apply_connection(paging.model_copy(update={"history": ("by_page",), "system": system}))
