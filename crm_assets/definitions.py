"""The code location of the checkout, and of a folder in which only this package is installed."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from crm_assets.orchestration.build import build_defs

_PROJECT = Path(__file__).parent.parent


@dg.definitions
def defs() -> dg.Definitions:
    """Return everything the connections file asks for; without I/O to anything else, secrets or network."""
    is_checkout = (_PROJECT / "pyproject.toml").is_file()
    crm = dg.load_from_defs_folder(path_within_project=_PROJECT) if is_checkout else build_defs()
    # In processes of their own, steps would pay for each one's imports: 188 s instead of 10 s for 32 tables.
    own = dg.Definitions(executor=dg.in_process_executor, sensors=[_downstream_sensor(crm)])
    return dg.Definitions.merge(crm, own)


def _downstream_sensor(crm: dg.Definitions) -> dg.AutomationConditionSensorDefinition:
    running = any(schedule.default_status is dg.DefaultScheduleStatus.RUNNING for schedule in crm.schedules or [])
    return dg.AutomationConditionSensorDefinition(
        "crm_downstream",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
        description="Materializes what has an automation condition, such as models built on the connections' tables.",
    )
