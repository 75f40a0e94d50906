"""The connections file: loaded, checked, and laid over the systems it names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crm_assets.declarations.connection_overrides import apply_connection
from crm_assets.declarations.errors import Problems, SpecError, listed
from crm_assets.declarations.loader import load_system, validated
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.spellings import canonical_connection
from crm_assets.declarations.yaml_lines import with_lines
from crm_assets.declarations.yaml_reader import read_yaml


def load_connections(
    path: Path, *, sandbox_url: str | None = None, schedules_on: bool = False
) -> tuple[Connection, ...]:
    """Load and check all connections.

    Args:
        path: The connections file.
        sandbox_url: Address of a sandbox; each connection is pointed at ``<sandbox_url>/<name>``.
        schedules_on: Turn on the schedules and sensors of all of them.

    Raises:
        SpecError: The file or one of its connections is wrong, or two have one name.
    """
    if not path.is_file():
        raise SpecError("file not found; create it, or set CRM_ASSETS_CONNECTIONS", str(path))
    document = read_yaml(path)
    entries = document.get("connections")
    if not isinstance(entries, list) or document.keys() - {"connections", "systems"}:
        raise SpecError(
            "expected a list under connections: and, for your own declarations, a folder under systems:", path.name
        )
    extra = _own_systems(document, path)
    problems, loaded = Problems(), list[Connection]()
    for position, entry in enumerate(entries, 1):
        with problems.noted():
            loaded.append(_connection(entry, position, path, extra))
    with problems.noted():
        _check_connection_names(loaded, path)
    problems.raise_all()
    connections = tuple(loaded)
    if schedules_on:
        connections = tuple(connection.scheduled() for connection in connections)
    if sandbox_url:
        connections = tuple(connection.at(f"{sandbox_url}/{connection.name}") for connection in connections)
    return connections


def _check_connection_names(connections: Iterable[Connection], path: Path) -> None:
    doubles = [name for name, times in Counter(connection.name for connection in connections).items() if times > 1]
    if doubles:
        raise SpecError(f"two connections are called {listed(doubles)}; give each account its own name", path.name)


def _own_systems(document: dict[str, Any], path: Path) -> Path | None:
    folder = document.get("systems")
    if folder is None:
        return None
    if not isinstance(folder, str) or not (path.parent / folder).is_dir():
        raise SpecError(f"expected a folder beside this file, got {folder!r}", path.name, "key systems")
    return (path.parent / folder).resolve()


def _connection(entry: Any, position: int, path: Path, extra: Path | None) -> Connection:
    if not isinstance(entry, dict):
        raise SpecError("expected a mapping with name and system", path.name, f"connection number {position}")
    try:
        if not isinstance(entry.get("system"), str):
            raise SpecError("names no system; set system: to one of the known ones", "key system")
        system, entry = load_system(entry["system"], extra), canonical_connection(entry)
        return apply_connection(validated(Connection, {**entry, "_system": system}))
    except SpecError as error:
        raise with_lines(error, [path], f"connection {entry.get('name', f'number {position}')}") from error.__cause__
