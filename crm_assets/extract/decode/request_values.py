"""Columns whose value is one of the request's own: a parent's key, a window's bound, a parameter of the connection."""

from __future__ import annotations

from crm_assets.declarations.models.columns import Column
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.duckdb_types import DUCKDB


def requested(resource: Resource) -> tuple[str, ...]:
    """Return the names of the values that columns hold, in the order of the ``__given_<n>`` columns of pages."""
    return tuple(sorted({column.placeholder for column in resource.columns.values() if column.placeholder}))


def request_column(resource: Resource, column: Column) -> str | None:
    """Return the column of pages with the value a column holds, if the request gives it one."""
    return None if column.placeholder is None else f"__given_{requested(resource).index(column.placeholder)}"


def request_value(resource: Resource, column: Column, cast: str = "CAST") -> str | None:
    """Return the value a column holds, if the request gives it one; ``TRY_CAST`` makes NULL of what does not fit."""
    given = request_column(resource, column)
    return given and f"{cast}({given} AS {DUCKDB[column.type]})"


def page_columns(values: int) -> tuple[str, ...]:
    """Return the names of the columns of a table of pages that come with so many values of their requests."""
    return ("__page", "__companions", *(f"__given_{number}" for number in range(values)))
