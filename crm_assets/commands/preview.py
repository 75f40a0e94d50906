"""Preview: a few rows of a resource as they would be loaded. Nothing is loaded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crm_assets.date_range import DateRange
from crm_assets.declarations.errors import unknown
from crm_assets.declarations.models.columns import MASK, Column
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.errors import CommandError
from crm_assets.extract.errors import ReadError
from crm_assets.extract.first_page import (
    PAGE_TIMEOUT,
    FirstPage,
    FirstPageReader,
    Placeholders,
    SampleRow,
    last_days,
    probing,
)
from crm_assets.extract.secrets import secrets_of
from crm_assets.extract.shared_state import SharedState

DEFAULT_ROWS = 3
_DAYS = 7
_LISTS = 10
"""Lists to look into, one after the other, until one has rows."""


@dataclass(frozen=True)
class Preview:
    """Sample rows, ready to be shown."""

    connection: str
    resource: Resource
    rows: tuple[dict[str, str], ...]
    """Column to text; personal data is masked unless it was asked for."""
    notes: tuple[str, ...]
    """Where the rows come from, and what the table does not show."""


def preview(
    connection: Connection,
    name: str,
    state: SharedState,
    *,
    rows: int = DEFAULT_ROWS,
    dates: DateRange | None = None,
    show_pii: bool = False,
    patience: float = PAGE_TIMEOUT,
) -> Preview:
    """Ask for a resource's first page and return some of its rows.

    Args:
        connection: The account.
        name: The resource.
        state: Has the account's rate and tokens.
        rows: Greatest number of rows.
        dates: The days to ask a windowed resource for; the last week (of aggregates, today) when left out.
        show_pii: Show personal data, and undeclared fields, which may hold some.
        patience: Seconds to wait for an answer.

    Raises:
        CommandError: The resource is unknown.
        ReadError: It cannot be read; the sentence says why.
    """
    resources = {resource.name: resource for resource in connection.system.resources}
    if name not in resources:
        raise CommandError(unknown(f"resource of {connection.name}", name, resources))
    problem = connection.unusable()
    if problem:
        raise ReadError(problem)
    resource = resources[name]
    dates = (dates or _default_days(connection, resource)) if resource.window else None
    values, sample = asyncio.run(_asked(connection, resource, state, max(rows, 1), dates, patience))
    shown = tuple(_shown_row(resource, row, show_pii) for row in sample.rows[:rows])
    return Preview(connection.name, resource, shown, tuple(_notes(values, sample, dates, shown)))


def _default_days(connection: Connection, resource: Resource) -> DateRange:
    per_partition = resource.window is not None and resource.window.per_partition
    return last_days(connection, 1 if per_partition else _DAYS)


async def _asked(
    connection: Connection, resource: Resource, state: SharedState, rows: int, dates: DateRange | None, patience: float
) -> tuple[Placeholders, FirstPage]:
    # A parent's page is asked for more rows than are shown: its first row need not have a list.
    records = max(rows, _LISTS) if resource.parent else rows
    async with probing(connection, secrets_of(connection), state, records, patience) as probe:
        try:
            return await _first_with_rows(probe, resource, dates)
        except ReadError as error:
            raise error.at(f"{connection.name}.{resource.name}") from error.__cause__


async def _first_with_rows(
    probe: FirstPageReader, resource: Resource, dates: DateRange | None
) -> tuple[Placeholders, FirstPage]:
    lists = await probe.lists(resource)
    if not lists:
        raise ReadError(f"{resource.parent.resource if resource.parent else 'its parent'} has no rows to read it for")
    for values in lists[:_LISTS]:
        sample = await probe.ask(resource, values, dates)
        if sample.rows:
            break
    return values, sample


def _shown_row(resource: Resource, row: SampleRow, show_pii: bool) -> dict[str, str]:
    shown = {name: _shown_value(row[name], column, show_pii) for name, column in resource.columns.items()}
    for kept in ("_extra", "_misfits"):
        if row[kept]:
            shown[kept] = row[kept] if show_pii else ", ".join(json.loads(row[kept]))
    return shown


def _shown_value(value: Any, column: Column, show_pii: bool) -> str:
    if value is None:
        return ""
    return MASK if column.pii and not show_pii else " ".join(str(value).split())


def _notes(
    values: Mapping[str, object],
    sample: FirstPage,
    dates: DateRange | None,
    shown: tuple[dict[str, str], ...],
) -> list[str]:
    place = [f"{name} {value}" for name, value in values.items()] + ([f"window {dates}"] if dates else [])
    origin = f" ({', '.join(place)})" if place else ""
    total = f" of {sample.total:,}" if sample.total is not None else ""
    count = f"{len(shown)} row{'' if len(shown) == 1 else 's'}"
    notes = [f"{count}{total}{origin}; nothing was loaded." if shown else f"No rows{origin}."]
    if not shown and dates:
        notes.append("Ask for other days with --from and --to.")
    if any(MASK in row.values() for row in shown):
        notes.append(f"{MASK} stands for personal data; --show-pii shows it.")
    if sample.rejected:
        notes.append(f"{len(sample.rejected)} of this page's records cannot be loaded: {sample.rejected[0]}.")
    return notes
