"""The declared columns as dlt's hints, with the columns every table has."""

from __future__ import annotations

from typing import Any

from crm_assets.declarations.models.columns import Column
from crm_assets.declarations.models.resource import Resource

_TIMES = ("_deleted_at", "_first_seen_at", "_changed_at")
REJECTED_COLUMNS: dict[str, dict[str, Any]] = {
    "reason": {"name": "reason", "data_type": "text", "nullable": True},
    "record": {"name": "record", "data_type": "text", "nullable": True},
    "_read_id": {"name": "_read_id", "data_type": "text", "nullable": False},
}
"""The columns of ``<resource>__rejected``."""


def write_disposition(resource: Resource) -> Any:
    """Return dlt's write disposition of a load; verified files contain every key once."""
    if resource.write_disposition == "merge":
        return {"disposition": "merge", "strategy": "delete-insert", "deduplicated": True}
    return resource.write_disposition


def dlt_columns(resource: Resource) -> dict[str, dict[str, Any]]:
    """Return dlt's column hints: the declared columns and the ones every table has."""
    own = {name: _column(name, column, name in resource.primary_key) for name, column in resource.columns.items()}
    kept = {name: {"name": name, "data_type": "json", "nullable": True} for name in ("_extra", "_misfits")}
    return {
        **own,
        **kept,
        "_read_id": {"name": "_read_id", "data_type": "text", "nullable": False},
        **{name: {"name": name, "data_type": "timestamp", "nullable": True} for name in _TIMES},
    }


def optional(columns: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the same columns, none of them required."""
    return {name: {**hints, "nullable": True} for name, hints in columns.items()}


def _column(name: str, column: Column, key: bool) -> dict[str, Any]:
    hints = {"name": name, "data_type": column.type.value, "nullable": column.nullable and not key}
    return {**hints, "description": column.description} if column.description else hints
