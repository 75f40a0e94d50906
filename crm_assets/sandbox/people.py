"""The people all systems know, and how the examples of a declaration read for each of them.

Examples speak of Ada Stone of Stone Ltd, and of Cora North, who looks after her. Where they do, the sandbox puts the
person a row is about in Ada's place and a colleague in Cora's: that alone says what a column holds, whatever its name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Set
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_assets.declarations.yaml_reader import read_yaml

if TYPE_CHECKING:
    from faker import Faker

_COLLEAGUES = 10_000_000
"""Number of the first colleague, beyond all other people."""
Words = Mapping[str, str]
"""What stands in the place of each word of the examples."""
CORA = frozenset({"Cora", "North", "Cora North", "CN", "cora@crm.example"})
ADA = frozenset({
    "Ada", "Stone", "Ada Stone", "AS", "ada@stone.example", "Stone Ltd", "SL", "info@stone.example", "stone.example",
    "+1 555 0100", "+15550100", "15550100", "1 Main St",
})  # fmt: skip
PLACE = frozenset({"Chicago", "Illinois", "60601", "United States", "US", "America/Chicago"})
"""Where Ada lives; colleagues live there, too."""
_ALL = sorted(ADA | CORA | PLACE, key=len, reverse=True)
_WORD = re.compile(rf"(?<![\w.@+-])(?:{'|'.join(map(re.escape, _ALL))})(?![\w@])")


@cache
def sample_data() -> dict[str, Any]:
    """Return what people and values are made of; the file explains it."""
    return read_yaml(Path(__file__).with_name("sample_data.yaml"))


@cache
def _generator(locale: str) -> Faker:
    # Faker takes a third of a second to import: only a sandbox that is asked for rows pays for it.
    from faker import Faker

    return Faker(locale, providers=[f"faker.providers.{name}" for name in ("person", "address", "company")])


@lru_cache(maxsize=50_000)
def person(number: int) -> Words:
    """Return the person of that number, counted from 0 without end, and the company they work for."""
    countries = sample_data()["countries"]
    country = countries[number % len(countries)]
    fake = _generator(country["locale"])
    fake.seed_instance(number)
    first, last, company = fake.first_name(), fake.last_name(), fake.company()
    city, region, postcode, timezone = fake.random_element(country["towns"])
    domain, phone = f"{_slug(company)}.example", fake.numerify(country["phone"])
    return {
        "Ada": first,
        "Stone": last,
        "Ada Stone": f"{first} {last}",
        "AS": first[0] + last[0],
        "ada@stone.example": f"{_slug(first)}.{_slug(last)}@{domain}",
        "Stone Ltd": company,
        "SL": "".join(word[0] for word in re.findall(r"\w+", company))[:2].upper(),
        "info@stone.example": f"info@{domain}",
        "stone.example": domain,
        "+1 555 0100": phone,
        "+15550100": re.sub(r"[^+\d]", "", phone),
        "15550100": re.sub(r"\D", "", phone),
        "1 Main St": country["street"].format(number=fake.random_int(1, 180), street=fake.street_name()),
        "Chicago": city,
        "Illinois": region,
        "60601": fake.numerify(postcode),
        "United States": country["name"],
        "US": country["code"],
        "America/Chicago": timezone,
    }


@lru_cache(maxsize=1_000)
def colleague(number: int) -> Words:
    """Return the user of the CRM of that number, counted from 0."""
    who = person(_COLLEAGUES + number)
    email = f"{_slug(who['Ada'])}.{_slug(who['Stone'])}@crm.example"
    return dict(zip(("Cora", "North", "Cora North", "CN"), who.values(), strict=False)) | {"cora@crm.example": email}


def speaks_of(words: Set[str], example: Any) -> bool:
    """Return whether an example, or a text inside it, holds one of the words."""
    return bool(retold(example, {word: "" if word in words else word for word in _ALL}) != example)


def retold(example: Any, words: Words) -> Any:
    """Return an example as it reads with other words in the place of Ada's and Cora's."""
    if isinstance(example, dict):
        return {key: retold(value, words) for key, value in example.items()}
    if isinstance(example, (list, tuple)):
        return type(example)(retold(value, words) for value in example)
    return _WORD.sub(lambda word: words[word[0]], example) if isinstance(example, str) else example


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
