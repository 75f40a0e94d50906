"""Values of a column, made from what its declaration says: type, class of personal data, examples."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crm_assets.declarations import Column, ColumnType
from crm_assets.sandbox.people import ADA, CORA, Colleague, Person, retold, speaks_of

_COUNTER = 1000
"""Examples from here on that follow one another, as 1001, 1002, 1003 do, are numbers given in turn."""
_SENTENCES = (
    "Asked for a quote.",
    "Called back, wants the new price list.",
    "Please send the contract again.",
    "Met at the trade fair – very interested.",
    'Said: "let us talk in autumn".',
    "Waiting for the spare parts.\nDelivery in two weeks.",
    "Zufrieden mit dem Service, möchte verlängern.",
)


@dataclass(frozen=True)
class RowSeed:
    """Facts about a row, decided before its values are made."""

    serial: int
    """Its number among all rows that ever were, from 0."""
    subject: int
    """Number of the person it is about."""
    parent: int | None
    """Which of the parent's rows it belongs to."""
    user: int
    """Number of the colleague who looks after it."""
    who: Person
    helper: Colleague
    draws: random.Random


Make = Callable[[RowSeed], Any]


def value_maker(column: Column) -> Make:
    """Return the generator of a column's values on the wire; dates, keys and references are made elsewhere."""
    if column.examples:
        return _typed(column.type, _example_maker(column))
    make = _CLASSES.get(column.pii)
    if make and column.type is ColumnType.TEXT:
        return make
    if make and column.type is ColumnType.JSON:
        return lambda row: [make(row)]
    if column.type is ColumnType.JSON and column.pii == "record":
        return lambda row: {"name": row.who.name, "company": row.who.company}
    return _TYPES[column.type]


def counted(column: Column, serial: int) -> Any:
    """Return the key of the row of that number, in the shape of the column's first example."""
    example = str(column.examples[0]) if column.examples else "1" if column.type is ColumnType.BIGINT else "1001"
    runs = list(re.finditer(r"\d+", example))
    if not runs:
        return f"{example}-{serial + 1}"
    run = max(runs, key=lambda found: len(found[0]))
    text = f"{example[: run.start()]}{int(run[0]) + serial:0{len(run[0])}d}{example[run.end() :]}"
    return int(text) if column.type is ColumnType.BIGINT else text


def _example_maker(column: Column) -> Make:
    """Return a generator that draws from the examples; if some name Ada or Cora, from those alone."""
    personal = [text for text in column.examples if speaks_of(ADA, text) or speaks_of(CORA, text)]
    examples = [*personal, *(text for text in column.examples if text is None)] if personal else list(column.examples)
    numbers = [int(text) if str(text).isdigit() else 0 for text in examples]
    if len(numbers) > 1 and numbers[0] >= _COUNTER and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return lambda row: counted(column, row.serial)
    if not personal and column.type is not ColumnType.JSON:
        return lambda row: row.draws.choice(examples)
    return lambda row: retold(row.draws.choice(examples), row.who, row.helper)


def _typed(kind: ColumnType, make: Make) -> Make:
    convert = _CONVERSIONS.get(kind)
    if convert is None:
        return make

    def converted(row: RowSeed) -> Any:
        value = make(row)
        return None if value is None else convert(value)

    return converted


_CONVERSIONS: dict[ColumnType, Callable[[Any], Any]] = {
    ColumnType.TEXT: str,
    ColumnType.DECIMAL: str,
    ColumnType.DOUBLE: float,
    ColumnType.BIGINT: int,
}
_TYPES: dict[ColumnType, Make] = {
    ColumnType.TEXT: lambda row: str(1001 + row.serial),
    ColumnType.BIGINT: lambda row: row.draws.randint(1, 100),
    ColumnType.DOUBLE: lambda row: row.draws.randint(100, 500_000) / 100,
    ColumnType.DECIMAL: lambda row: f"{row.draws.randint(100, 500_000) / 100:.2f}",
    ColumnType.BOOL: lambda row: row.draws.random() < 0.5,
    ColumnType.JSON: lambda _: {},
}
_CLASSES: dict[str | None, Make] = {
    "name": lambda row: row.who.name,
    "email": lambda row: row.who.email,
    "phone": lambda row: row.who.phone,
    "address": lambda row: f"{row.who.street}, {row.who.city}",
    "url": lambda row: f"https://{row.who.domain}",
    "text": lambda row: row.draws.choice(_SENTENCES),
}
