"""Lineage: the response field behind each column, and the table that a column refers to."""

from __future__ import annotations

import dagster as dg

from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Reference, Resource
from crm_assets.orchestration.keys import api_key, asset_key


def column_lineage(connection: Connection, resource: Resource) -> dg.TableColumnLineage:
    """Return, for each column, its path in a record of the API; a parent's key is a column of the parent's table."""
    parent = resource.parent
    origins = {}
    for name, column in resource.columns.items():
        if parent and column.placeholder == parent.placeholder:
            origin = dg.TableColumnDep(asset_key(connection, parent.resource), parent.field)
        elif column.placeholder:
            origin = dg.TableColumnDep(api_key(connection), f"the request's {column.placeholder}")
        else:
            origin = dg.TableColumnDep(api_key(connection), f"{resource.name}: {path_text(column.wire_path(name))}")
        origins[name] = [origin]
    return dg.TableColumnLineage(origins)


def joins(connection: Connection, resource: Resource) -> str:
    """Return, as Markdown, the joins to the tables a resource refers to; empty where it refers to none."""
    references = connection.system.references(resource)
    if not references:
        return ""
    table = f"{connection.name}.{resource.name}"
    lines = [f"from {table}"]
    for position, reference in enumerate((reference for reference in references if not reference.path), 1):
        alias = f"{reference.resource}_{position}" if reference.resource == resource.name else reference.resource
        lines.append(
            f"left join {connection.name}.{reference.resource} as {alias}\n"
            f"  on {alias}.{reference.key} = {resource.name}.{reference.column}"
        )
    sql = "\n".join(["```sql", *lines, "```", ""]) if len(lines) > 1 else ""
    return sql + "\n".join(_inside_json(reference) for reference in references if reference.path)


def _inside_json(reference: Reference) -> str:
    path = path_text(reference.path)
    return f"- `{path}` inside `{reference.column}` names rows of `{reference.resource}` by `{reference.key}`"
