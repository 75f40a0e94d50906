"""The report of a check: one sentence, the numbers, and a bounded table of offending rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import dagster as dg

from crm_assets.declarations.models.columns import MASK
from crm_assets.declarations.models.resource import Resource

OFFENDERS = 20
"""Most rows shown; enough to see a pattern, few enough for an event of Dagster's log."""


class CheckReport:
    """The result of a check: problems (data is wrong), warnings (data is unexpected), and the numbers.

    Args:
        summary: The sentence to show where there are neither problems nor warnings.
        sql: A query that shows the reader what the check looked at.
    """

    def __init__(self, summary: str, sql: str) -> None:
        self.summary = summary
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.metadata: dict[str, Any] = {"sql": dg.MetadataValue.md(f"```sql\n{sql}\n```")}

    def sentence(self) -> str:
        """Return the check's one sentence."""
        text = "; ".join([*self.problems, *self.warnings])
        return f"{text[:1].upper()}{text[1:]}." if text else self.summary

    def add_offenders(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add a bounded table of offending rows."""
        records = [
            dg.TableRecord({key: _table_value(value) for key, value in row.items()}) for row in islice(rows, OFFENDERS)
        ]
        if records:
            self.metadata["offenders"] = dg.MetadataValue.table(records)

    def masked(self, resource: Resource) -> dict[str, Any]:
        """Return the metadata with the personal data in the offending rows masked, as in the preview."""
        offenders = self.metadata.get("offenders")
        if not isinstance(offenders, dg.TableMetadataValue):
            return self.metadata
        records = [dg.TableRecord(_masked(dict(record.data), resource)) for record in offenders.records]
        return {**self.metadata, "offenders": dg.MetadataValue.table(records)}


def _masked(row: dict[str, Any], resource: Resource) -> dict[str, Any]:
    """Mask a row's own columns, the value of the column it names, and a key that consists of such columns."""
    personal = {name for name, column in resource.columns.items() if column.pii}
    hidden = set(personal)
    if row.get("column") in personal:
        hidden.add("value")
    if personal & set(resource.primary_key):
        hidden.add("key")
    return {name: MASK if name in hidden and value is not None else value for name, value in row.items()}


def _table_value(value: Any) -> str | int | float | bool | None:
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


def counted(count: int, one: str, several: str) -> str:
    """Return a number with its noun and verb, such as ``1 row has`` or ``2,000 rows have``."""
    return f"{count:,} {one if count == 1 else several}"
