"""kill -9 between the columns that a load adds and its rows, which have a transaction of their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from crm_assets.declarations.models.connection import Connection
from crm_assets.warehouse.session import Statement, WarehouseSession
from crm_assets_tests.conftest import Build, only
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.installation import Installation, Row, failure
from crm_assets_tests.reliability.conftest import MakeJob
from crm_assets_tests.reliability.killed_runs import Victim

KEY, NEW = "paging/whole", "amount"


def die(moment: str) -> None:
    """Kill this process in the transaction that adds columns, or right after it."""
    write, execute = WarehouseSession.write, WarehouseSession.execute

    def writing(session: WarehouseSession, sql: str, *values: Any) -> None:
        write(session, sql, *values)
        if moment == "inside" and "ADD COLUMN" in sql:
            os.kill(os.getpid(), signal.SIGKILL)

    def executing(session: WarehouseSession, statements: Sequence[Statement]) -> None:
        execute(session, statements)
        if any("ADD COLUMN" in sql for sql, _ in statements):
            os.kill(os.getpid(), signal.SIGKILL)

    WarehouseSession.write, WarehouseSession.execute = writing, executing  # type: ignore[method-assign]


def seen(house: Installation, name: str = "whole__current") -> list[Row]:
    return house.query(f"SELECT * FROM paging.{name} ORDER BY id")


@pytest.mark.parametrize("destination", ["duckdb", "postgres"], indirect=True)
def test_rows_and_read_log_are_old_and_the_columns_are_there_or_not(
    house: Build, job: MakeJob, sandbox: FaultySandbox, connections: dict[str, Connection], destination: str
) -> None:
    later = only(connections["paging"], "whole")
    (resource,) = later.system.resources
    columns = {name: column for name, column in resource.columns.items() if name != NEW}
    system = later.system.model_copy(update={"resources": (resource.model_copy(update={"columns": columns}),)})
    here = house(later.model_copy(update={"system": system}))
    assert failure(here.materialize(KEY)) == ""
    before, reads, sandbox.state = seen(here), here.query("SELECT read_id FROM paging._reads"), 1
    for moment, added in (("inside", []), ("after", [NEW])):
        victim = Victim(job(later, before=partial(die, moment)))
        victim.process.join(60)
        assert victim.process.exitcode == -signal.SIGKILL
        for name in ("whole", "whole__current"):
            assert seen(here, name) == [row | dict.fromkeys(added) for row in before], f"{name}, killed {moment}"
        assert here.query("SELECT read_id FROM paging._reads") == reads
    again = house(later)
    assert failure(again.materialize(KEY)) == ""
    assert again.table("paging", "whole", "_deleted_at IS NULL") == again.truth("paging", "whole")
