"""A list whose every field is a column: what comes, changes and goes in its records, and what is said of it."""

from __future__ import annotations

import dagster as dg

from crm_assets.declarations.connection_overrides import apply_connection
from crm_assets.declarations.models.connection import Connection
from crm_assets_tests.conftest import only
from crm_assets_tests.faults import Fault
from crm_assets_tests.installation import Installation, Row, failure

TABLE = "paging.whole"
ASSET = "paging/whole"


def open_to_all(connection: Connection, *, history: bool = False) -> Connection:
    """Return a connection of one list, ``whole``, that declares its key alone."""
    chosen = only(connection, "whole")
    (resource,) = chosen.system.resources
    update = {"columns": {"id": resource.columns["id"]}, "undeclared_fields": "columns"}
    system = chosen.system.model_copy(update={"resources": (resource.model_copy(update=update),)})
    history_of = ("whole",) if history else ()
    return apply_connection(chosen.model_copy(update={"system": system, "history": history_of}))


def read_again(here: Installation) -> tuple[bool, str]:
    """Read the list, and return what ``schema_change`` says then."""
    result = here.materialize(ASSET)
    assert result.success, failure(result)
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    check = checks["schema_change"]
    assert check.passed or check.severity is dg.AssetCheckSeverity.WARN
    assert "declared, but in none" not in str(checks["schema"].description)
    return check.passed, str(check.description)


def grow_and_compare(here: Installation) -> None:
    """Read a list while its fields come, change their type and go; the table and its versions must hold all of it."""
    assert read_again(here) == (True, "There is no read before to compare with.")
    first = rows(here)
    here.sandbox.faults.push(
        Fault("wrong_type", "paging", "whole", field="active", value="perhaps"),
        Fault("unknown_field", "paging", "whole", field="mood", value="good"),
    )
    assert read_again(here) == (False, "Mood is a new column (text); active was bool and is text.")
    assert {row["mood"] for row in rows(here)} == {"good"}
    assert "perhaps" in {row["active"] for row in rows(here)}
    here.sandbox.faults.clear()
    assert read_again(here) == (False, "Mood is in no record any more.")
    texts = [{**row, "active": None if row["active"] is None else str(row["active"]).lower()} for row in first]
    assert [{name: row[name] for name in first[0]} for row in rows(here)] == texts
    moods = here.query(f"SELECT mood, count(*) AS n FROM {TABLE}__history GROUP BY mood ORDER BY mood IS NULL")
    assert moods == [{"mood": "good", "n": len(first)}, {"mood": None, "n": 2 * len(first)}]
    assert here.query(f"SELECT count(*) AS n FROM {TABLE}__history WHERE _valid_to IS NULL") == [{"n": len(first)}]


def rows(here: Installation) -> list[Row]:
    """Return the values of all rows."""
    found = here.query(f"SELECT * FROM {TABLE} ORDER BY id")
    return [{name: value for name, value in row.items() if not name.startswith("_")} for row in found]
