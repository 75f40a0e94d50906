"""Asset checks: is the table what was declared, are its keys keys, and did the last read see everything?

Adding a check is adding a module that returns a :class:`CheckReport`, and its line in ``CHECKS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.orchestration.checks.completeness import completeness
from crm_assets.orchestration.checks.freshness import freshness
from crm_assets.orchestration.checks.primary_key import primary_key
from crm_assets.orchestration.checks.reconciliation import reconciliation, reports_total
from crm_assets.orchestration.checks.references import checkable, references
from crm_assets.orchestration.checks.report import CheckReport
from crm_assets.orchestration.checks.row_count import row_count
from crm_assets.orchestration.checks.schema import schema
from crm_assets.orchestration.checks.schema_change import schema_change
from crm_assets.orchestration.keys import asset_key
from crm_assets.warehouse.session import WarehouseSession


@dataclass(frozen=True)
class Check:
    """A check of tables."""

    description: str
    evaluate: Callable[[WarehouseSession, Connection, Resource], CheckReport]
    blocking: bool = False
    """Whether what is downstream in the same run waits for it."""
    applies: Callable[[Connection, Resource], object] = lambda *_: True
    """Whether a resource has it."""
    remedy: str = "Read the table again with `crm-assets sync '{selection}'` once the cause is gone."
    """What to do when tables of a ``{connection}`` do not pass; ``{selection}`` selects them."""


CHECKS = {
    "schema": Check(
        "The table has the declared columns, types and nullability, and nothing undeclared arrived.",
        schema,
        remedy="Declare new fields with `crm-assets discover {connection} --update`; where a type changed, "
        "`crm-assets migrate {connection}` shows what would happen to the values.",
    ),
    "primary_key": Check(
        "Every row has a primary key, no two rows have the same, and the last read saw none twice.",
        primary_key,
        blocking=True,
        remedy="Look at the rows in question and, for rejected records, at the table whose name ends in `__rejected`; "
        "where several records share a key, declare another `primary_key`.",
    ),
    "completeness": Check(
        "The last read saw the end of its list, and every parent.",
        completeness,
        blocking=True,
        remedy="See what the API answers with `crm-assets doctor {connection}`, then read the table again with "
        "`crm-assets sync '{selection}'`.",
    ),
    "freshness": Check(
        "The last complete read of current data is no older than the schedule allows.",
        freshness,
        remedy="Read the table with `crm-assets sync '{selection}'`; see in Dagster whether its schedule is on and "
        "the daemon runs.",
    ),
    "references": Check(
        "Values that name rows of other tables find them.",
        references,
        applies=checkable,
        remedy="Read the tables that lack them in full with `crm-assets sync 'key:\"{connection}/*\"' --full`; "
        "what is missing then was deleted at the source, or is hidden from this account.",
    ),
    "row_count": Check(
        "The table grew or shrank by no more than it usually does.",
        row_count,
        remedy="Compare with the source. Where it is right, there is nothing to do: after the next read the check "
        "passes again.",
    ),
    "schema_change": Check(
        "The records of the last read have the fields of the reads before.",
        schema_change,
        remedy="Declare new fields with `crm-assets discover {connection} --update`. The check passes again after the "
        "next read, since the change is not new any more; `schema` keeps naming what is not declared.",
    ),
    "reconciliation": Check(
        "The table has as many rows as the source reports records.",
        reconciliation,
        applies=reports_total,
        remedy="Read the table in full with `crm-assets sync '{selection}' --full`. A difference that stays is in the "
        "table whose name ends in `__rejected`, or in rows that a read could not prove to be deleted.",
    ),
}


def check_specs(connection: Connection, resource: Resource) -> list[dg.AssetCheckSpec]:
    """Return the specs of a resource's checks."""
    asset = asset_key(connection, resource.name)
    return [
        dg.AssetCheckSpec(name, asset=asset, description=check.description, blocking=check.blocking)
        for name, check in CHECKS.items()
        if check.applies(connection, resource)
    ]


def evaluate(session: WarehouseSession, connection: Connection, resource: Resource, name: str) -> dg.AssetCheckResult:
    """Evaluate one check against the warehouse."""
    report = CHECKS[name].evaluate(session, connection, resource)
    return dg.AssetCheckResult(
        asset_key=asset_key(connection, resource.name),
        check_name=name,
        passed=not report.problems and not report.warnings,
        severity=dg.AssetCheckSeverity.ERROR if report.problems else dg.AssetCheckSeverity.WARN,
        description=report.sentence(),
        metadata=report.masked(resource),
    )
