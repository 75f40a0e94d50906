"""Values of a column, made from what its declaration says: type, class of personal data, examples, references."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from crm_assets.declarations import Column, ColumnType, Resource
from crm_assets.declarations.json_path import dig, place
from crm_assets.declarations.models.resource import Reference
from crm_assets.sandbox.people import RowSeed, examples_of, groups_in, retold
from crm_assets.sandbox.population import Population

_COUNTER = 1000
"""Examples from here on that follow one another, as 1001, 1002, 1003 do, are numbers given in turn."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NULLS = 1 / 12
"""Share of values that are null of a column without examples."""
Make = Callable[[RowSeed], Any]
_KINDS: dict[ColumnType, tuple[Callable[[Any], Any], Make, Callable[[Any], Any]]] = {
    ColumnType.TEXT: (str, lambda row: str(1001 + row.serial), lambda value: f"{value or 'Note'} (changed)"),
    ColumnType.BOOL: (bool, lambda row: row.draws.random() < 0.5, lambda value: not value),
    ColumnType.DECIMAL: (str, lambda row: f"{_amount(row):.2f}", lambda value: str(Decimal(value or 0) + 1)),
    ColumnType.DOUBLE: (float, lambda row: _amount(row), lambda value: (value or 0) + 1),
    ColumnType.BIGINT: (int, lambda row: row.draws.randint(1, 100), lambda value: (value or 0) + 1),
    ColumnType.JSON: (copy.deepcopy, lambda _: {}, dict),
}
"""How values of a type come about: of an example, without one, by a change. First the types a change shows in best."""


def value_maker(population: Population, resource: Resource, name: str) -> Make:
    """Return what makes the values of a column on the wire; dates are made elsewhere."""
    column = resource.columns[name]
    if name in population.counted(resource):
        return lambda row: numbered(column, row.serial)
    plain = _plain(column)
    references = [each for each in population.references[resource.name] if each.column == name]
    if references:
        return lambda row: _referring(population, column, references, plain, row)
    # The examples contain their own share of missing values.
    if not column.nullable or column.examples or name in population.fixed(resource):
        return plain
    return lambda row: None if row.draws.random() < _NULLS else plain(row)


def numbered(column: Column, serial: int) -> Any:
    """Return the key of the row of that number, in the shape of the column's first example."""
    example = str(column.examples[0]) if column.examples else "1" if column.type is ColumnType.BIGINT else "1001"
    run = max(re.finditer(r"\d+|$", example), key=lambda digits: len(digits[0]))
    if not run[0]:
        return f"{example}-{serial + 1}"
    text = f"{example[: run.start()]}{int(run[0]) + serial:0{len(run[0])}d}{example[run.end() :]}"
    return int(text) if column.type is ColumnType.BIGINT else text


def other_value(value: Any, column: Column, draws: random.Random) -> Any:
    """Return another value on the wire than the present one."""
    convert, _, change = _KINDS[column.type]
    others = [other for each in column.examples if each is not None and (other := convert(each)) != value]
    return draws.choice(others) if others and not column.pii else change(value)


def changing_column(population: Population, resource: Resource) -> str | None:
    """Return the column a change shows in: a status rather than a text, a text rather than a number."""
    include, fixed = resource.endpoint.include, population.fixed(resource)
    kinds = [kind for kind in _KINDS if kind is not ColumnType.JSON]
    free = [
        (kinds.index(column.type), len(column.examples) < 2 or bool(column.pii), name)
        for name, column in resource.columns.items()
        if column.type in kinds and name not in fixed and not column.placeholder and not column.references
        if not (include and column.wire_path(name)[0] == include.field)
    ]
    return min(free)[2] if free else None


def _plain(column: Column) -> Make:
    """Return what makes the values of a column that is neither a key nor refers to one."""
    convert, make, _ = _KINDS[column.type]
    examples = [None if each is None else convert(each) for each in examples_of(column)]
    if not examples:
        return make
    numbers = [int(str(example)) if str(example).isdigit() else 0 for example in examples]
    consecutive = len(numbers) > 1 and numbers == [*range(max(numbers[0], _COUNTER), numbers[0] + len(numbers))]
    if consecutive or (len(examples) == 1 and _UUID.fullmatch(str(examples[0]))):
        return lambda row: numbered(column, row.serial)
    if groups_in(examples):
        # The others would belong to another person.
        examples = [each for each in examples if each is None or groups_in(each)]
        return lambda row: retold(row.pick(examples), row.words)
    return lambda row: copy.deepcopy(row.pick(examples)) if column.type is ColumnType.JSON else row.pick(examples)


def _amount(row: RowSeed) -> float:
    return row.draws.randint(100, 500_000) / 100


def _referring(population: Population, column: Column, references: list[Reference], plain: Make, row: RowSeed) -> Any:
    """Return a value that holds the keys of the rows that a row refers to."""
    value = [] if column.type is ColumnType.JSON and not references[0].path else plain(row)
    for reference in references:
        many = isinstance(dig(value, reference.path), list)
        count = row.draws.randint(1, 2) if many else 1
        rows = [population.referred(row, reference.resource, optional=column.nullable) for _ in range(count)]
        target = population.resources[reference.resource].columns[reference.key]
        keys = dict.fromkeys(numbered(target, each) for each in rows if each is not None)
        texts = [str(key) if column.type is ColumnType.TEXT else key for key in keys]
        value = place(value, reference.path, texts if many else next(iter(texts), None))
    return value
