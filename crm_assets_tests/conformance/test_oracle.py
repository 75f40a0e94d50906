"""The oracle: dlt's own engine, given the same declaration, delivers the same rows as ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from crm_assets.commands.export_dlt import rest_api
from crm_assets.declarations.json_path import dig
from crm_assets.declarations.models.columns import ColumnType
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.fetch import fetch
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.read_report import ReadTask
from crm_assets.sandbox import sandbox_secrets
from crm_assets_tests.conftest import only
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.installation import all_connections
from crm_assets_tests.reliability import kinds

CONNECTIONS = all_connections()
EXCEPTIONS = {
    ("nutshell", "events"): "its cursor never goes away and the last row comes again for ever; dlt has no rule to stop",
}
"""Lists that dlt's engine cannot read to their end, and why."""
EACH = [
    pytest.param(one.name, resource.name, id=f"{one.name}-{resource.name}")
    for one in CONNECTIONS
    if one.name in kinds(one.name for one in CONNECTIONS)
    for resource in one.system.resources
    if (one.name, resource.name) not in EXCEPTIONS
]
COMPARED = (ColumnType.TEXT, ColumnType.BIGINT, ColumnType.BOOL, ColumnType.JSON)
"""Types that are the same on the wire and in Arrow."""


def test_exceptions_are_lists_there_are() -> None:
    known = {(one.name, resource.name) for one in CONNECTIONS for resource in one.system.resources}
    assert set(EXCEPTIONS) <= known
    assert all(EXCEPTIONS.values())


@pytest.mark.parametrize(("connection", "resource"), EACH)
def test_dlt_delivers_the_same_rows(
    connections: dict[str, Connection],
    served: tuple[FaultySandbox, str],
    sandbox: FaultySandbox,
    tmp_path: Path,
    connection: str,
    resource: str,
) -> None:
    declared = connections[connection].system.resource(resource)
    parents = [declared.parent.resource] if declared.parent else []
    here = only(connections[connection], resource, *parents).at(f"{served[1]}/{connection}")
    ours = by_ours(here, declared, tmp_path)
    assert ours
    assert by_dlt(here, declared) == ours


def by_ours(connection: Connection, resource: Resource, folder: Path) -> list[str]:
    """Return the rows of our engine's full refresh, as comparable text."""
    budget = RateLimiter(folder / "budget", None)
    (reading,) = fetch(connection, [ReadTask(resource)], sandbox_secrets(connection), folder, budget)
    assert reading.report.complete, reading.report.reason
    assert reading.staged
    names = compared(resource)
    rows = pq.read_table(reading.staged.path, columns=names).to_pylist()
    return sorted(json.dumps([_decoded(resource, name, row[name]) for name in names], sort_keys=True) for row in rows)


def by_dlt(connection: Connection, resource: Resource) -> list[str]:
    """Return the rows of dlt's engine, in the same form."""
    rows = list(rest_api(connection, sandbox_secrets(connection)).with_resources(resource.name))
    return sorted(
        json.dumps([_on_wire(resource, name, row) for name in compared(resource)], sort_keys=True) for row in rows
    )


def compared(resource: Resource) -> list[str]:
    """Return the columns to compare: those that are the same on the wire, but what is joined in or changes shape."""
    include = resource.endpoint.include
    joined = include.field if include else None
    return [
        name
        for name, column in resource.columns.items()
        if column.type in COMPARED and column.format == "iso" and (column.wire_path(name)[0] != joined)
    ]


def _decoded(resource: Resource, name: str, value: Any) -> Any:
    return json.loads(value) if value is not None and resource.columns[name].type is ColumnType.JSON else value


def _on_wire(resource: Resource, name: str, row: dict[str, Any]) -> Any:
    column, parent = resource.columns[name], resource.parent
    if column.placeholder and parent:
        (key,) = [key for key in row if key.startswith(f"_{parent.resource}_")]
        return row[key]
    return dig(row.get(resource.endpoint.unwrap or "", row), column.wire_path(name))
