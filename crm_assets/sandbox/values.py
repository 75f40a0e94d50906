"""Values of a column, made from what its declaration says: type, name, personal-data class, examples, description."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from crm_assets.sandbox.roles import names_company
from crm_assets.sandbox.shapes import json_value
from crm_assets.sandbox.world import Person
from crm_assets.spec import Column, ColumnType


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
    if column.examples:
        return [_typed(value, column.type) for value in rows.draws.choices(column.examples, k=len(rows.serials))]
    if column.type is ColumnType.JSON:
        return [json_value(name, person, rows.draws) for person in rows.people]
    return _numbers(name, column.type, rows)


def counted(column: Column, serials: Sequence[int]) -> list[Any]:
    """Return the keys of the rows with these serial numbers, in the shape of the column's first example."""
    example = next(iter(column.examples), None)
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
    for pattern, read in _WORLD:
        if re.search(pattern, name) and not (pattern in _VAGUE and column.examples):
            return _fitting(column, [read(person) for person in rows.people])
    if name in ("name", "title", "subject", "label"):
        return _titles(name, column, rows, about)
    if column.examples:
        return _examples(name, column, rows)
    if column.pii in _BY_CLASS:
        return [_BY_CLASS[column.pii](person) for person in rows.people]
    for pattern, make in _PLAIN:
        if re.search(pattern, name):
            return [make(serial, rows.draws) for serial in rows.serials]
    return [rows.draws.choice(_SENTENCES) for _ in rows.serials]


def _fitting(column: Column, found: list[str]) -> list[str]:
    """Keep country codes where the examples are codes."""
    codes = column.examples and all(isinstance(value, str) and len(value) == 2 for value in column.examples)
    return [_CODES.get(value, value) for value in found] if codes else found


def _titles(name: str, column: Column, rows: Rows, about: str) -> list[Any]:
    if name == "name" and (column.pii == "name" or about == "person"):
        return [f"{person.first_name} {person.last_name}" for person in rows.people]
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
_WORLD: tuple[tuple[str, Callable[[Person], str]], ...] = (
    (r"e_?mail|^assignee$", lambda p: p.email),
    (r"phone|mobile|^fax$|cell", lambda p: p.phone),
    (r"first_?name|given_?name", lambda p: p.first_name),
    (r"last_?name|sur_?name|family_?name", lambda p: p.last_name),
    (r"middle_?name|salutation|suffix", lambda _: ""),
    (
        r"(full|display|contact|user|owner|customer|assignee|creator|author|tech)_?name",
        lambda p: f"{p.first_name} {p.last_name}",
    ),
    (
        r"^(compan(y|ies)|organi[sz]ation|business|employer)(_?name)?$|(company|business|account)_name$",
        lambda p: p.company.name,
    ),
    (r"linkedin", lambda p: f"https://www.linkedin.example/in/{p.first_name}-{p.last_name}".lower()),
    (r"website|domain|homepage", lambda p: f"https://{p.company.domain}"),
    (r"job_?title|^position$", lambda p: p.job_title),
    (r"^(billing_|shipping_|mailing_)?city$|_city$", lambda p: p.place.city),
    (r"country_code", lambda p: p.place.country_code),
    (r"country$", lambda p: p.place.country),
    (r"time_?zone", lambda p: p.place.timezone),
    (r"zip|postal|postcode", lambda p: p.place.postal_code),
    (r"^(state|region|province)$|_state$", lambda p: p.place.region),
    (r"street|address", lambda p: p.street),
    (r"industry", lambda p: p.company.industry),
)
_VAGUE = {r"^(state|region|province)$|_state$", r"time_?zone", r"industry", r"job_?title|^position$"}
_CODES = {
    "Germany": "DE",
    "United States": "US",
    "France": "FR",
    "United Kingdom": "GB",
    "Finland": "FI",
    "Austria": "AT",
    "Spain": "ES",
    "Canada": "CA",
    "Brazil": "BR",
}
_BY_CLASS: dict[str | None, Callable[[Person], str]] = {
    "name": lambda p: f"{p.first_name} {p.last_name}",
    "email": lambda p: p.email,
    "phone": lambda p: p.phone,
    "address": lambda p: f"{p.street}, {p.place.city}",
    "url": lambda p: f"https://{p.company.domain}/{p.last_name.lower()}",
}
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
