"""The sensor that ends runs whose machine is gone, so that Dagster's run retries start them anew on another one."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.extract.errors import ReadError
from crm_assets.orchestration.shared_state.run_locks import mark_abandoned, run_locks
from crm_assets.warehouse.warehouse import Warehouse

ABANDONED_SENSOR = "crm_abandoned_runs"
_SECONDS = 15


def abandoned_runs_sensor(connections: Sequence[Connection], warehouse: Warehouse) -> dg.SensorDefinition:
    """Return the sensor; it has something to do where the Dagster instance is in PostgreSQL.

    Args:
        connections: If one of them has its schedule enabled, so is this sensor.
        warehouse: Has the folder for the locks of a single machine.
    """
    enabled = any(connection.schedule.enabled for connection in connections)

    @dg.sensor(
        name=ABANDONED_SENSOR,
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if enabled else dg.DefaultSensorStatus.STOPPED,
        description="Marks runs as failed whose machine is gone, for Dagster's run retries to start them anew.",
    )
    def abandoned_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        locks = run_locks(context.instance, warehouse.runs)
        if not locks.shared:
            return dg.SkipReason("All runs are on this machine, whose code server watches them.")
        try:
            marked = mark_abandoned(context.instance, locks)
        except ReadError as error:
            return dg.SkipReason(f"Not looked for, the next tick retries: {error}.")
        return dg.SkipReason(f"Marked as failed: {', '.join(marked)}." if marked else "All runs are worked on.")

    return abandoned_runs
