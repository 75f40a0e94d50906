"""A code location whose steps go to Celery workers one by one: all connections of a file, and one job for all lists."""

from __future__ import annotations

import dagster as dg
from dagster_celery import celery_executor

from crm_assets.orchestration.build import build_defs

JOB = "slow_accounts"


@dg.definitions
def defs() -> dg.Definitions:
    """Return the connections' definitions, the job and the executor."""
    crm = build_defs()
    lists = [
        one.key
        for one in crm.resolve_all_asset_specs()
        if one.key.path[0].startswith("account_") and one.partitions_def is None and len(one.key.path) > 1
    ]
    job = dg.define_asset_job(JOB, selection=dg.AssetSelection.assets(*lists), executor_def=celery_executor)
    return dg.Definitions.merge(crm, dg.Definitions(jobs=[job]))
