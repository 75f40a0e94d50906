"""kill -9 while versions of rows are written: no half version, none that is open twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from crm_assets.declarations.connection_overrides import apply_connection
from crm_assets.declarations.models.connection import Connection
from crm_assets.warehouse.session import WarehouseSession
from crm_assets_tests.conftest import Build, only
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.installation import Installation, Row, failure
from crm_assets_tests.reliability.conftest import MakeJob
from crm_assets_tests.reliability.killed_runs import Victim

KEY, VERSIONS = "paging/by_page", "by_page__history"


def die_after(statement: str) -> None:
    """Kill this process as soon as it has sent a statement to the table of versions."""
    write = WarehouseSession.write

    def writing(session: WarehouseSession, sql: str, *values: Any) -> Any:
        written = write(session, sql, *values)
        if sql.startswith(statement) and VERSIONS in sql:
            os.kill(os.getpid(), signal.SIGKILL)
        return written

    WarehouseSession.write = writing  # type: ignore[method-assign]


def state_of(house: Installation) -> Mapping[str, list[Row]]:
    """Return the versions and the rows, whatever the order."""
    orders = {"by_page": "id", VERSIONS: "id, _valid_from"}
    return {name: house.query(f"SELECT * FROM paging.{name} ORDER BY {order}") for name, order in orders.items()}


@pytest.mark.parametrize("destination", ["duckdb", "postgres"], indirect=True)
def test_a_load_that_is_killed_leaves_all_versions_or_none(
    house: Build, job: MakeJob, sandbox: FaultySandbox, connections: dict[str, Connection], destination: str
) -> None:
    asked = only(connections["paging"], "by_page").model_copy(update={"history": ("by_page",)})
    connection = apply_connection(asked)
    here = house(connection)
    assert failure(here.materialize(KEY)) == ""
    before, sandbox.state = state_of(here), 3
    for statement in ("UPDATE", "INSERT"):
        victim = Victim(job(connection, before=partial(die_after, statement)))
        victim.process.join(60)
        assert victim.process.exitcode == -signal.SIGKILL
        assert state_of(here) == before, f"seen right after the kill behind {statement}"
    assert failure(here.materialize(KEY)) == ""
    open_versions = [row["id"] for row in state_of(here)[VERSIONS] if row["_valid_to"] is None]
    current = here.query("SELECT id FROM paging.by_page__current ORDER BY id")
    assert open_versions == [row["id"] for row in current]
    assert any(row["_valid_to"] for row in state_of(here)[VERSIONS])
