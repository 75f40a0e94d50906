"""Custom fields of loaded tables, made columns of a connection in the connections file."""

from __future__ import annotations

import difflib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crm_assets.commands.yaml_edit import with_members
from crm_assets.declarations.connections import load_connections
from crm_assets.declarations.errors import listed
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.errors import CommandError
from crm_assets.extract.discovery.columns import columns_of
from crm_assets.settings import Settings
from crm_assets.warehouse.session import WarehouseSession
from crm_assets.warehouse.warehouse import Warehouse

_SAMPLE_RECORDS = 500
ColumnDeclarations = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Update:
    """A change of the connections file."""

    diff: str
    """As ``diff -u`` writes it; empty where there is nothing to change."""
    next_step: str


def update_columns(connection: Connection, warehouse: Warehouse, settings: Settings, *, write: bool) -> Update:
    """Turn what lies in ``_extra`` of a connection's tables into columns, in the connections file.

    Args:
        connection: The account.
        warehouse: Where its tables are.
        settings: Names the connections file.
        write: Write the file; otherwise the change is only shown.

    Raises:
        CommandError: The file cannot be written, or was not changed because the result would not load.
        WarehouseError: The tables cannot be read.
    """
    path = settings.connections_file
    before = path.read_text(encoding="utf-8")
    further = _further(connection, warehouse)
    if not further:
        return Update("", f"Fields show up after a sync: crm-assets sync group:{connection.group or connection.name}.")
    after = with_members(before, connection.name, {"columns": further})
    diff = "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), path.name, path.name, lineterm=""))
    _replace(path, after, write=write)
    step = f"Wrote {path}. {_filling(connection, further)}" if write else f"Nothing was written; --yes writes {path}."
    return Update(diff, step)


def _filling(connection: Connection, further: dict[str, ColumnDeclarations]) -> str:
    """Say what fills the new columns: rows that a usual sync does not read again have to be asked for."""
    modes = {name: connection.system.resource(name).mode for name in further}
    by_change = [name for name, mode in modes.items() if mode == "incremental"]
    by_day = [name for name, mode in modes.items() if mode == "window"]
    sync = f"crm-assets sync group:{connection.group or connection.name}"
    steps = [f"{sync}{' --full' if by_change else ''} fills the columns"]
    if by_change:
        steps.append(f"--full because {listed(by_change)} would be read for changed rows alone")
    if by_day:
        steps.append(f"of {listed(by_day)} it reads the last days: for earlier ones add --from and the first day")
    return "; ".join(steps) + "."


def _further(connection: Connection, warehouse: Warehouse) -> dict[str, ColumnDeclarations]:
    if not warehouse.exists:
        return {}
    with warehouse.working_folder() as folder, warehouse.session(connection.name, folder, lambda _: None) as session:
        found = {table.name: _undeclared_columns(session, table) for table in connection.system.tables}
    return {name: columns for name, columns in found.items() if columns}


def _undeclared_columns(session: WarehouseSession, resource: Resource) -> ColumnDeclarations:
    if "_extra" not in session.columns(resource.name):
        return {}
    # The newest rows say what the account has now; _extra is JSON text in every destination.
    rows = session.query(
        f"SELECT _extra FROM {session.table(resource.name)} WHERE _extra IS NOT NULL "
        f"ORDER BY _changed_at DESC LIMIT {_SAMPLE_RECORDS}"
    )
    records = [json.loads(row[0]) if isinstance(row[0], str) else row[0] for row in rows]
    known = [column.wire_path(name) for name, column in resource.columns.items() if not column.placeholder]
    fresh, _ = columns_of([record for record in records if isinstance(record, dict)], known, resource.columns)
    return {column.name: column.declared for column in fresh}


def _replace(path: Path, text: str, *, write: bool) -> None:
    """Check that a connections file with this text loads, and put it in the place of the old one."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=".yaml")
        new = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            load_connections(new)
            if write:
                new.chmod(path.stat().st_mode & 0o777)
                new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
