"""Init: the files of a new folder, in which all commands and ``dagster dev`` work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from crm_assets.declarations.connections import load_connections
from crm_assets.declarations.models.connection import Connection
from crm_assets.errors import CommandError
from crm_assets.extract.secrets import secret_variable

TEMPLATES = files("crm_assets.commands") / "templates"
CONNECTIONS = Path(str(TEMPLATES / "connections.yaml"))
"""Connections to all systems of the seed documents, at example addresses."""
_FILES = {
    "connections.yaml": "connections.yaml",
    "dagster.yaml": "dagster.yaml",
    "workspace.yaml": "workspace.yaml",
    ".env.example": "env.example",
    ".gitignore": "gitignore",
}
"""File to write, to template."""


@dataclass(frozen=True)
class Written:
    """One file of a new folder."""

    path: Path
    new: bool
    """Whether it was written; a file that was there before is left as it is."""


def init(folder: Path) -> list[Written]:
    """Write the files of a new folder; what is there already stays as it is.

    Raises:
        CommandError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_write_file(folder / name, template) for name, template in _FILES.items()]
    except OSError as error:
        raise CommandError(f"{folder} cannot be written: {error.strerror}.") from error


def _write_file(path: Path, template: str) -> Written:
    if path.exists():
        return Written(path, new=False)
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    if template == "env.example":
        text += "".join(f"# {line}\n" for connection in load_connections(CONNECTIONS) for line in _secrets(connection))
    path.write_text(text, encoding="utf-8")
    return Written(path, new=True)


def _secrets(connection: Connection) -> Iterator[str]:
    return (f"{secret_variable(connection, name)}=" for name in connection.system.client.auth.secrets)
