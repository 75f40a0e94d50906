"""``crm-assets export-dbt``: the tables as dbt sources, so that models hang on them in one lineage.

The asset keys under ``meta.dagster.asset_key`` are those of this project; ``dagster-dbt`` reads them there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from crm_assets.declarations.models.columns import Column, ColumnType
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Reference, Resource
from crm_assets.orchestration.freshness import tolerance_of
from crm_assets.orchestration.keys import asset_key


def dbt_sources(connections: Iterable[Connection], database: str | None = None) -> str:
    """Return a ``sources.yml``: tables, columns, descriptions, tests, freshness and Dagster's asset keys.

    Args:
        connections: One dbt source each; its schema is the connection's name.
        database: Name of the database, where dbt's target is another one.
    """
    document = {"version": 2, "sources": [_dbt_source(connection, database) for connection in connections]}
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120))


def _dbt_source(connection: Connection, database: str | None) -> dict[str, Any]:
    return {
        "name": connection.name,
        **({"database": database} if database else {}),
        "schema": connection.name,
        "description": f"{connection.system.title}, read by crm_assets.",
        "tables": [_dbt_table(connection, resource) for resource in connection.system.resources],
    }


def _dbt_table(connection: Connection, resource: Resource) -> dict[str, Any]:
    references = {
        reference.column: reference for reference in connection.system.references(resource) if not reference.path
    }
    return {
        "name": resource.name,
        "description": " ".join(resource.description.split()),
        "meta": {"dagster": {"asset_key": list(asset_key(connection, resource.name).path)}},
        "config": {"freshness": _freshness(connection, resource), "loaded_at_query": _loaded_at(connection, resource)},
        "columns": [
            _dbt_column(name, column) | _tests(connection, resource, name, references.get(name))
            for name, column in resource.columns.items()
        ],
    }


def _freshness(connection: Connection, resource: Resource) -> dict[str, Any]:
    tolerance = tolerance_of(connection, resource)
    hours = {"warn_after": tolerance.late, "error_after": tolerance.stale}
    return {name: {"count": round(age.total_seconds() / 3600), "period": "hour"} for name, age in hours.items()}


def _loaded_at(connection: Connection, resource: Resource) -> str:
    return f"select max(finished_at) from {connection.name}._reads where complete and resource = '{resource.name}'"


def _dbt_column(name: str, column: Column) -> dict[str, Any]:
    described = {"name": name, "description": " ".join(column.description.split()), "data_type": column.type.value}
    return described | ({"meta": {"pii": column.pii}} if column.pii else {})


def _tests(connection: Connection, resource: Resource, name: str, reference: Reference | None) -> dict[str, Any]:
    """Return the tests of a column; a key of several columns has none, for dbt itself brings no test of those."""
    column = resource.columns[name]
    tests: list[Any] = ["unique"] if resource.primary_key == (name,) else []
    if name in resource.primary_key or not column.nullable:
        tests.append("not_null")
    if reference and column.type is not ColumnType.JSON:
        tests.append(_relationship(connection, reference))
    return {"data_tests": tests} if tests else {}


def _relationship(connection: Connection, reference: Reference) -> dict[str, Any]:
    to = f"source('{connection.name}', '{reference.resource}')"
    return {"relationships": {"arguments": {"to": to, "field": reference.key}, "config": {"severity": "warn"}}}
