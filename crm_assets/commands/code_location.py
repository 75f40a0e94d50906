"""The code location of a project of one's own, found where Dagster's own commands look: in pyproject.toml."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import dagster as dg
from dagster.components.definitions import LazyDefinitions

from crm_assets.declarations.models.connection import Connection
from crm_assets.errors import CommandError
from crm_assets.orchestration.build import made
from crm_assets.orchestration.dagster_compat import modules_of_project
from crm_assets.orchestration.keys import api_key
from crm_assets.warehouse.warehouse import Warehouse

_OWN_MODULE = "crm_assets.definitions"


@dataclass(frozen=True)
class CodeLocation:
    """Definitions of one's own, with the connections among them."""

    definitions: dg.Definitions
    connections: tuple[Connection, ...]
    warehouse: Warehouse


def own_location(folder: Path) -> CodeLocation | None:
    """Load the code location that a project names, if it has connections of ours among its own definitions.

    Args:
        folder: The project: the folder of its pyproject.toml.

    Raises:
        CommandError: There are several modules with definitions, or several data folders.
    """
    modules = modules_of_project(folder / "pyproject.toml")
    if not modules or modules == [_OWN_MODULE]:
        return None
    if len(modules) > 1:
        raise CommandError(f"pyproject.toml names several modules ({', '.join(modules)}); crm-assets reads one.")
    definitions = _definitions(modules[0], folder)
    keys = set(definitions.resolve_all_asset_keys())
    found = [(connection, warehouse) for connection, warehouse in made() if api_key(connection) in keys]
    if not found:
        return None
    warehouses = {warehouse for _, warehouse in found}
    if len(warehouses) > 1:
        folders = ", ".join(sorted(str(warehouse.folder) for warehouse in warehouses))
        raise CommandError(f"The connections of {modules[0]} have several data folders ({folders}); give them one.")
    return CodeLocation(definitions, tuple(connection for connection, _ in found), warehouses.pop())


def _definitions(module: str, folder: Path) -> dg.Definitions:
    sys.path[:0] = [str(folder), str(folder / "src")]
    for value in vars(import_module(module)).values():
        if isinstance(value, LazyDefinitions):
            value = value()
        if isinstance(value, dg.Definitions):
            return value
    raise CommandError(f"{module}, which pyproject.toml names, has no Definitions.")
