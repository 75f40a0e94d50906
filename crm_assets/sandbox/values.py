"""Values of a column, made from what its declaration says: type, name, personal-data class, examples, description."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from crm_assets.declarations import Column, ColumnType
from crm_assets.sandbox.facts import country_code, fact_named, fact_of_class, full_name
from crm_assets.sandbox.roles import names_company
from crm_assets.sandbox.shapes import json_values
from crm_assets.sandbox.world import Person


@dataclass(frozen=True)
class Rows:
    """What the rows to be filled have in common."""

    serials: Sequence[int]
    """Number of each row in its table, ascending from 0."""
    people: Sequence[Person]
    """Whom each row is about."""
    draws: random.Random
    noun: str
    """What one row is called."""


def values_of(name: str, column: Column, rows: Rows, about: str) -> list[Any]:
    """Return one value for each of the rows; none is null.

    Args:
        name: Name of the column.
        column: Its declaration; dates and timestamps are not made here.
        rows: The rows to fill.
        about: Kind of the rows: ``person``, ``company`` or empty.
    """
    if column.type is ColumnType.TEXT:
        return _texts(name, column, rows, about)
    if column.type is ColumnType.JSON:
        return json_values(name, column, rows.people, rows.draws)
    if column.examples:
        return [_typed(value, column.type) for value in rows.draws.choices(column.examples, k=len(rows.serials))]
    return _numbers(name, column.type, rows)


def counted(column: Column, serials: Sequence[int]) -> list[Any]:
    """Return the keys of the rows with these serial numbers, in the shape of the column's first example."""
    told = re.search(r"such as (\S*\d\S*)", column.description)
    example = next(iter(column.examples), told and told[1])
    if column.type is ColumnType.BIGINT:
        first = int(example) if isinstance(example, (int, str)) and str(example).isdigit() else 1
        return [first + serial for serial in serials]
    runs = list(re.finditer(r"\d+", str(example or "1001")))
    if not runs:
        return [f"{example}-{serial + 1}" for serial in serials]
    run = max(runs, key=lambda found: len(found[0]))
    head, tail = str(example or "1001")[: run.start()], str(example or "1001")[run.end() :]
    return [f"{head}{int(run[0]) + serial:0{len(run[0])}d}{tail}" for serial in serials]


def _typed(value: Any, kind: ColumnType) -> Any:
    if kind is ColumnType.DECIMAL:
        return Decimal(str(value))
    if kind is ColumnType.DOUBLE:
        return float(value)
    return value


def _texts(name: str, column: Column, rows: Rows, about: str) -> list[Any]:
    fact, vague = fact_named(name) or (None, False)
    if fact and not (vague and column.examples and column.pii != "address"):
        return _fitting(column, [fact(person) for person in rows.people])
    if name in ("name", "title", "subject", "label"):
        return _titles(name, column, rows, about)
    if column.examples:
        return _examples(name, column, rows)
    if fact := fact_of_class(column.pii):
        return [fact(person) for person in rows.people]
    if column.pii == "text" or re.search(r"descri|note|comment|body|message|text|info|instruct|detail", name):
        return rows.draws.choices(_SENTENCES, k=len(rows.serials))
    make = next((make for pattern, make in _PLAIN if re.search(pattern, name)), None)
    if make:
        return [make(serial, rows.draws) for serial in rows.serials]
    return [f"{name.replace('_', ' ').capitalize()} {rows.draws.randrange(1, 10)}" for _ in rows.serials]


def _fitting(column: Column, found: list[str]) -> list[str]:
    """Keep country codes where the examples are codes."""
    codes = column.examples and all(isinstance(value, str) and len(value) == 2 for value in column.examples)
    return [country_code(value) for value in found] if codes else found


def _titles(name: str, column: Column, rows: Rows, about: str) -> list[Any]:
    if name == "name" and (column.pii == "name" or about == "person"):
        return [full_name(person) for person in rows.people]
    if name == "name" and (about == "company" or names_company(column.description)):
        return [person.company.name for person in rows.people]
    if column.examples:
        count = len(column.examples)
        return [
            f"{column.examples[serial % count]}{f' {serial // count + 1}' if serial >= count else ''}"
            for serial in rows.serials
        ]
    return [f"{rows.noun.replace('_', ' ').capitalize()} {serial + 1}" for serial in rows.serials]


def _examples(name: str, column: Column, rows: Rows) -> list[str]:
    if re.search(r"(^|_)(uu)?id$", name):
        return counted(column, [rows.draws.randrange(40) for _ in rows.serials])
    return [str(value) for value in rows.draws.choices(column.examples, k=len(rows.serials))]


def _numbers(name: str, kind: ColumnType, rows: Rows) -> list[Any]:
    draws, count = rows.draws, len(rows.serials)
    if kind is ColumnType.BOOL:
        return draws.choices((True, False), k=count)
    if kind is ColumnType.BIGINT:
        if re.search(r"(^|_)number$", name):
            return [1001 + serial for serial in rows.serials]
        top = next((top for pattern, top in _TOPS if re.search(pattern, name)), 500)
        return [int(draws.random() * top) + 1 for _ in range(count)]
    cents = [int(draws.random() ** 2 * 500_000) + 100 for _ in range(count)]
    if re.search(r"lat|lon|lng|percent|rate|ratio|score", name):
        cents = [value % 9000 for value in cents]
    return (
        [Decimal(value).scaleb(-2) for value in cents]
        if kind is ColumnType.DECIMAL
        else [value / 100 for value in cents]
    )


_TOPS = ((r"hour", 22), (r"_id$", 20), (r"quantity|qty|depth|position|order", 12), (r"version|index", 5))
_SENTENCES = (
    "Asked for a quote.",
    "Called back, wants the new price list.",
    "Please send the contract again.",
    "Met at the trade fair – very interested.",
    'Said: "let us talk in autumn".',
    "Waiting for the spare parts.\nDelivery in two weeks.",
    "Zufrieden mit dem Service, möchte verlängern.",
)
_PLAIN: tuple[tuple[str, Callable[[int, random.Random], str]], ...] = (
    (r"uuid|guid", lambda serial, _: f"{serial * 2654435761 % 2**32:08x}-0000-4000-8000-{serial:012x}"),
    (r"(^|_)id$", lambda _, draws: str(draws.randrange(1, 40))),
    (r"url|link|href|image|photo|avatar", lambda serial, _: f"https://files.example/{serial + 1}"),
    (r"number|code|sku|serial|reference", lambda serial, _: f"{1001 + serial}"),
    (r"colou?r", lambda _, draws: draws.choice(("#1f77b4", "#2ca02c", "#d62728"))),
    (r"currency", lambda _, draws: draws.choice(("EUR", "USD", "GBP"))),
    (r"ip(_address)?$", lambda serial, _: f"192.0.2.{serial % 254 + 1}"),
    (r"status|type|kind|category|stage|priority", lambda _, draws: draws.choice(("new", "open", "closed"))),
    (r"amount|price|total|cost|revenue", lambda _, draws: f"{draws.randrange(100, 90000) / 100:.2f}"),
    (r"name|title|subject", lambda _, draws: draws.choice(("Standard", "Premium", "Starter", "Special offer"))),
    (r"handle|login|username", lambda serial, _: f"account{serial + 1}"),
)
