"""All automation of the code location."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.orchestration.automation.abandoned_runs import abandoned_runs_sensor
from crm_assets.orchestration.automation.alerts import alert_sensor
from crm_assets.orchestration.automation.change_sensor import change_sensor
from crm_assets.orchestration.automation.jobs import jobs_of
from crm_assets.orchestration.automation.schedules import schedule_of
from crm_assets.warehouse.warehouse import Warehouse


def automation(connections: Sequence[Connection], warehouse: Warehouse) -> dg.Definitions:
    """Return jobs, schedules and sensors of all connections; nothing is requested and no secret is looked up.

    Args:
        connections: In the order of their file, which staggers the schedules.
        warehouse: What the change sensors compare with.

    Raises:
        SpecError: A cron expression is invalid.
    """
    jobs = [job for connection in connections for job in jobs_of(connection)]
    return dg.Definitions(
        jobs=[job.definition for job in jobs],
        schedules=[schedule_of(job, position) for position, job in enumerate(jobs)],
        sensors=[
            *(change_sensor(job, warehouse) for job in jobs if job.incrementals),
            alert_sensor(connections),
            abandoned_runs_sensor(connections, warehouse),
        ],
    )
