"""Values of a column, made from what its declaration says: type, class of personal data, examples."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from crm_assets.declarations import Column, ColumnType
from crm_assets.sandbox.people import Words, colleague, person, retold, sample_data, speaks_of

_COUNTER = 1000
"""Examples from here on that follow one another, as 1001, 1002, 1003 do, are numbers given in turn."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class RowSeed:
    """What the values of a row are made from."""

    serial: int
    """Its number among all rows that ever were, from 0."""
    subject: int
    """Number of the person it is about."""
    user: int
    """Number of the colleague who looks after it."""
    personal: bool
    """Whether it is about a person; others, such as products, take the examples in turn."""
    draws: random.Random
    _picks: dict[int, int] = field(default_factory=dict)

    @cached_property
    def words(self) -> Words:
        """What stands in the place of the examples' words."""
        return {**person(self.subject), **colleague(self.user)}

    def pick(self, examples: list[Any]) -> Any:
        """Choose an example; columns with as many of them choose alike, so that they fit together."""
        count = len(examples)
        if count not in self._picks:
            self._picks[count] = self.draws.randrange(count) if self.personal else self.serial % count
        return examples[self._picks[count]]


Make = Callable[[RowSeed], Any]
_CONVERSIONS: dict[ColumnType, Callable[[Any], Any]] = {
    ColumnType.TEXT: str,
    ColumnType.DECIMAL: str,
    ColumnType.DOUBLE: float,
    ColumnType.BIGINT: int,
}
_MAKERS: dict[ColumnType, Make] = {
    ColumnType.TEXT: lambda row: str(1001 + row.serial),
    ColumnType.BIGINT: lambda row: row.draws.randint(1, 100),
    ColumnType.DOUBLE: lambda row: row.draws.randint(100, 500_000) / 100,
    ColumnType.DECIMAL: lambda row: f"{row.draws.randint(100, 500_000) / 100:.2f}",
    ColumnType.BOOL: lambda row: row.draws.random() < 0.5,
    ColumnType.JSON: lambda _: {},
}
"""Values of columns without examples."""


def value_maker(column: Column) -> Make:
    """Return the generator of a column's values on the wire; dates, keys and references are made elsewhere."""
    given = column.examples or sample_data()["examples"].get(column.type.value, {}).get(column.pii, ())
    if not given:
        return _MAKERS[column.type]
    convert = _CONVERSIONS.get(column.type, lambda value: value)
    examples = [None if each is None else convert(each) for each in given]
    if _given_in_turn(examples):
        return lambda row: numbered(column, row.serial)
    if speaks_of(("person", "place", "colleague"), examples):
        # The others would belong to another person.
        examples = [each for each in examples if each is None or speaks_of(("person", "place", "colleague"), each)]
        return lambda row: retold(row.pick(examples), row.words)
    return lambda row: copy.deepcopy(row.pick(examples))


def numbered(column: Column, serial: int) -> Any:
    """Return the key of the row of that number, in the shape of the column's first example."""
    example = str(column.examples[0]) if column.examples else "1" if column.type is ColumnType.BIGINT else "1001"
    run = max(re.finditer(r"\d+|$", example), key=lambda digits: len(digits[0]))
    if not run[0]:
        return f"{example}-{serial + 1}"
    text = f"{example[: run.start()]}{int(run[0]) + serial:0{len(run[0])}d}{example[run.end() :]}"
    return int(text) if column.type is ColumnType.BIGINT else text


def _given_in_turn(examples: list[Any]) -> bool:
    """Return whether examples are unique in every row: numbers that follow one another, or the one UUID."""
    numbers = [int(example) if str(example).isdigit() else 0 for example in examples]
    if len(numbers) == 1:
        return bool(_UUID.fullmatch(str(examples[0])))
    return numbers[0] >= _COUNTER and numbers == [*range(numbers[0], numbers[0] + len(numbers))]
