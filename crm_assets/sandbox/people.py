"""The people all systems know, and how the examples of a declaration read for each of them.

Examples speak of Ada Stone of Stone Ltd, and of Cora North, who looks after her. Where they do, the sandbox puts the
person a row is about in Ada's place and a colleague in Cora's: that alone says what a column holds, whatever its name.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from crm_assets.declarations import Column
from crm_assets.declarations.yaml_reader import read_yaml

_COLLEAGUES = 10_000_000
"""Number of the first colleague, beyond all other people."""
Words = Mapping[str, str]
"""What stands in the place of each word of the examples."""


@cache
def sample_data() -> dict[str, Any]:
    """Return what people and values are made of; the file explains it."""
    return read_yaml(Path(__file__).with_name("sample_data.yaml"))


@cache
def _generator(locale: str) -> Any:
    """Return Faker's generator for a locale; its methods are those of the providers."""
    # Faker takes a third of a second to import: only a sandbox that is asked for rows pays for it.
    from faker import Factory

    return Factory.create(locale, [f"faker.providers.{name}" for name in ("person", "address", "company", "internet")])


def colleague(number: int) -> Words:
    """Return the user of the CRM of that number, counted from 0."""
    return person(_COLLEAGUES + number, ("colleague",))


@lru_cache(maxsize=50_000)
def person(number: int, groups: tuple[str, ...] = ("person", "place")) -> Words:
    """Return the words for the person of that number, counted from 0 without end, their company and their town."""
    countries = sample_data()["countries"]
    country = countries[number % len(countries)]
    fake = _generator(country["locale"])
    fake.seed_instance(number)
    facts = _made(fake, sample_data()["facts"])
    facts |= {f"{name}_slug": fake.slug(text.replace("ß", "ss")) for name, text in facts.items()}
    facts |= _made(fake, {**country["facts"], **fake.random_element(country["towns"])})
    facts |= {"initials": "".join(re.findall(r"\b\w", facts["company"]))[:2].upper()}
    facts |= {"digits": re.sub(r"\D", "", facts["phone"])}
    words = sample_data()["words"]
    return {word: text.format(**facts) for group in groups for word, text in words[group].items()}


@dataclass(frozen=True)
class RowSeed:
    """What the values of a row are made from."""

    resource: str
    serial: int
    """Its number among all rows that ever were, from 0."""
    subject: int
    """Number of the person it is about."""
    parent: int | None
    """Which of the parent's rows it belongs to."""
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


def examples_of(column: Column) -> Sequence[Any]:
    """Return the examples of a column: its own, or those of its type and class of personal data."""
    return column.examples or sample_data()["examples"].get(column.type.value, {}).get(column.pii, ())


def groups_in(example: Any) -> set[str]:
    """Return the groups of words in the sample data that an example, or a text inside it, speaks of."""
    said: dict[str, str] = defaultdict(str)
    retold(example, said)
    return {group for group, words in sample_data()["words"].items() if said.keys() & words.keys()}


def retold(example: Any, words: Words) -> Any:
    """Return an example as it reads with other words in the place of Ada's and Cora's."""
    if isinstance(example, dict):
        return {key: retold(value, words) for key, value in example.items()}
    if isinstance(example, (list, tuple)):
        return type(example)(retold(value, words) for value in example)
    return _pattern().sub(lambda word: words[word[0]], example) if isinstance(example, str) else example


@cache
def _pattern() -> re.Pattern[str]:
    """Return a pattern that finds the words of the examples, the longest first."""
    words = sorted((word for group in sample_data()["words"].values() for word in group), key=len, reverse=True)
    return re.compile(rf"(?<![\w.@+-])(?:{'|'.join(map(re.escape, words))})(?![\w@])")


def _made(fake: Any, templates: Mapping[str, str]) -> dict[str, str]:
    return {name: fake.numerify(fake.parse(template)) for name, template in templates.items()}
