"""Connections with other schedules and windows, and their definitions resolved as Dagster would."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.schedule_definition import ScheduleExecutionData
from dagster._core.definitions.sensor_definition import SensorExecutionData

from crm_assets.declarations.models.connection import Connection, Schedule
from crm_assets.declarations.models.incremental import Window
from crm_assets.orchestration.assets import connection_assets
from crm_assets.orchestration.automation.compose import automation
from crm_assets.orchestration.dlt_integration import StagedDltResource
from crm_assets.orchestration.freshness import with_freshness
from crm_assets.orchestration.resources import CrmSecrets
from crm_assets.warehouse.warehouse import Warehouse


def scheduled(connection: Connection, **given: Any) -> Connection:
    """Return the connection with another schedule."""
    return connection.model_copy(update={"schedule": Schedule(**given)})


def windowed(connection: Connection, **given: Any) -> Connection:
    """Return the connection with all its windows changed."""
    resources = tuple(
        one.model_copy(update={"window": Window(**{**one.window.model_dump(by_alias=True), **given})})
        if one.window
        else one
        for one in connection.system.resources
    )
    return connection.model_copy(update={"system": connection.system.model_copy(update={"resources": resources})})


def definitions_of(connections: Sequence[Connection], warehouse: Warehouse | None = None) -> dg.Definitions:
    """Return assets and automation of connections."""
    warehouse = warehouse or Warehouse(Path("data"))
    assets = [asset for one in connections for asset in with_freshness(one, connection_assets(one, warehouse))]
    read = dg.Definitions(assets=assets, resources={"crm_secrets": CrmSecrets(), "crm_loader": StagedDltResource()})
    return dg.Definitions.merge(read, automation(connections, warehouse))


def tick(definitions: dg.Definitions, name: str, moment: str) -> ScheduleExecutionData:
    """Evaluate a schedule at a moment in UTC."""
    when = datetime.fromisoformat(moment).replace(tzinfo=timezone.utc)
    with dg.build_schedule_context(scheduled_execution_time=when) as context:
        return definitions.resolve_schedule_def(name).evaluate_tick(context)


def look(
    definitions: dg.Definitions, name: str, instance: dg.DagsterInstance, cursor: str | None = None
) -> SensorExecutionData:
    """Evaluate a sensor."""
    with dg.build_sensor_context(
        instance=instance, cursor=cursor, sensor_name=name, resources={"crm_secrets": CrmSecrets()}
    ) as context:
        return definitions.resolve_sensor_def(name).evaluate_tick(context)
