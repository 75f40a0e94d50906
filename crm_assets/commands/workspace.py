"""What all commands work on: the settings, and what follows from them, made when it is first needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from crm_assets.declarations.connections import load_connections
from crm_assets.declarations.errors import unknown
from crm_assets.declarations.models.connection import Connection
from crm_assets.errors import CommandError
from crm_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from crm_assets.commands.code_location import CodeLocation
    from crm_assets.extract.shared_state import SharedState
    from crm_assets.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Workspace:
    """The installation a command was called in."""

    settings: Settings
    location: CodeLocation | None = None
    """Definitions of one's own to take the connections from, in place of the connections file."""

    @cached_property
    def connections(self) -> tuple[Connection, ...]:
        """All connections, in the order of their file.

        Raises:
            SpecError: The file or one of its connections cannot be used.
        """
        if self._own:
            return self._own.connections
        settings = self.settings
        return load_connections(
            settings.connections_file, sandbox_url=settings.sandbox_url, schedules_on=settings.schedules_on
        )

    @cached_property
    def warehouse(self) -> Warehouse:
        """Where the tables are."""
        from crm_assets.warehouse.warehouse import Warehouse

        if self._own:
            return self._own.warehouse
        settings = self.settings
        return Warehouse(settings.data_folder, settings.destination, settings.lock_timeout, settings.resume_hours)

    @cached_property
    def shared_state(self) -> SharedState:
        """What all runs of these connections agree on.

        Raises:
            CommandError: The Dagster instance that has it cannot be opened.
        """
        from crm_assets.commands.dagster_settings import may_be_postgres
        from crm_assets.extract.shared_state import FileState

        folder = self.warehouse.folder
        if not may_be_postgres(folder):  # to open the instance takes longer than most answers
            return FileState(folder)
        from crm_assets.commands.dagster_home import open_instance
        from crm_assets.orchestration.shared_state.state import shared_state

        with open_instance(folder) as instance:
            return shared_state(instance, folder)

    @cached_property
    def definitions(self) -> dg.Definitions:
        """The Dagster code location of these connections."""
        from crm_assets.orchestration.build import connection_definitions

        if self._own:
            return self._own.definitions
        return connection_definitions(self.connections, self.warehouse)

    @cached_property
    def _own(self) -> CodeLocation | None:
        """The given definitions; where there is no connections file, those of the project in the working folder."""
        if self.location or self.settings.connections_file.exists() or not Path("pyproject.toml").is_file():
            return self.location
        return self.located().location

    def located(self) -> Workspace:
        """Return this installation with the definitions that a project in the working folder has, if it is one.

        Raises:
            CommandError: The project's definitions cannot be used.
        """
        from crm_assets.commands.code_location import own_location

        return replace(self, location=own_location(Path.cwd()))

    def connection(self, name: str) -> Connection:
        """Return a connection by name.

        Raises:
            CommandError: The connection is unknown.
        """
        by_name = {connection.name: connection for connection in self.connections}
        if name not in by_name:
            raise CommandError(unknown("connection", name, by_name))
        return by_name[name]
