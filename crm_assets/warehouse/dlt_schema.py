"""The declared columns as dlt's hints, with the columns every table has."""

from __future__ import annotations

from typing import Any

from crm_assets.declarations.models.columns import Column
from crm_assets.declarations.models.resource import Resource

ROW_TIMES = ("_deleted_at", "_first_seen_at", "_changed_at")
KEEPING = {
    "_extra": "Undeclared fields the API sent, as JSON.",
    "_misfits": "Values that did not fit their column's type, as JSON: column to value.",
    "_read_id": "The read that brought the row; see the table _reads.",
    "_deleted_at": "When a complete read no longer found the row at the source.",
    "_first_seen_at": "When a read first brought the row; empty if that was before these times were kept.",
    "_changed_at": "When a read last brought other values than before, or the row was marked as deleted.",
    "_valid_from": "When a read first brought this version of the row; empty if that was before such times were kept.",
    "_valid_to": "When a read brought other values or no longer found the row; empty for the current version.",
}
"""Descriptions of the columns that are ours, of tables and their versions."""
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
    own = {name: _dlt_column(name, column, name in resource.primary_key) for name, column in resource.columns.items()}
    kept = {name: {"name": name, "data_type": "json", "nullable": True} for name in ("_extra", "_misfits")}
    return {
        **own,
        **kept,
        "_read_id": {"name": "_read_id", "data_type": "text", "nullable": False},
        **{name: {"name": name, "data_type": "timestamp", "nullable": True} for name in ROW_TIMES},
    }


def optional(columns: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the same columns, none of them required."""
    return {name: {**hints, "nullable": True} for name, hints in columns.items()}


def _dlt_column(name: str, column: Column, key: bool) -> dict[str, Any]:
    hints = {"name": name, "data_type": column.type.value, "nullable": column.nullable and not key}
    return {**hints, "description": column.description} if column.description else hints
