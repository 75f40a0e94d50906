"""The people all systems know, and how the examples of a declaration read for each of them.

Examples speak of Ada Stone of Stone Ltd, and of Cora North, who looks after her. Where they do, the sandbox puts the
person a row is about in Ada's place and a colleague in Cora's: that alone says what a column holds, whatever its name.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from faker import Faker

_COLLEAGUES = 10_000_000
"""Number of the first colleague, beyond all other people."""


class Person(NamedTuple):
    """A person and the company they work for; the defaults are how examples put it."""

    first_name: str = "Ada"
    last_name: str = "Stone"
    name: str = "Ada Stone"
    initials: str = "AS"
    email: str = "ada@stone.example"
    company: str = "Stone Ltd"
    company_initials: str = "SL"
    company_email: str = "info@stone.example"
    domain: str = "stone.example"
    phone: str = "+1 555 0100"
    phone_e164: str = "+15550100"
    phone_digits: str = "15550100"
    street: str = "1 Main St"
    city: str = "Chicago"
    region: str = "Illinois"
    postcode: str = "60601"
    country: str = "United States"
    country_code: str = "US"
    timezone: str = "America/Chicago"


class Colleague(NamedTuple):
    """A user of the CRM; the defaults are how examples put it."""

    first_name: str = "Cora"
    last_name: str = "North"
    name: str = "Cora North"
    initials: str = "CN"
    email: str = "cora@crm.example"


ADA, CORA = Person(), Colleague()
_WORDS = (*ADA, *CORA)
_WORD = re.compile(
    rf"(?<![\w.@+-])(?:{'|'.join(re.escape(word) for word in sorted(_WORDS, key=len, reverse=True))})(?![\w@])"
)


class _Home(NamedTuple):
    locale: str
    region: str
    """Faker's name for the region of an address in that country."""
    timezone: str
    phone: str
    """Pattern of telephone numbers that the country's regulator reserves for fiction."""


_HOMES = (
    _Home("en_US", "state", "America/New_York", "+1 %## 555 01##"),
    _Home("de_DE", "state", "Europe/Berlin", "+49 30 23125 ###"),
    _Home("en_GB", "county", "Europe/London", "+44 1632 960###"),
    _Home("fr_FR", "region", "Europe/Paris", "+33 1 99 00 ## ##"),
)


@cache
def _generator(locale: str) -> Faker:
    # Faker takes a third of a second to import: only a sandbox that is asked for rows pays for it.
    from faker import Faker

    return Faker(locale, providers=[f"faker.providers.{name}" for name in ("person", "address", "company")])


@lru_cache(maxsize=50_000)
def person(number: int) -> Person:
    """Return the person of that number, counted from 0 without end."""
    home = _HOMES[number % len(_HOMES)]
    fake = _generator(home.locale)
    fake.seed_instance(number)
    first, last, company = fake.first_name(), fake.last_name(), fake.company()
    domain, phone = f"{_slug(company)}.example", fake.numerify(home.phone)
    return Person(
        first,
        last,
        f"{first} {last}",
        first[0] + last[0],
        f"{_slug(first)}.{_slug(last)}@{domain}",
        company,
        "".join(word[0] for word in re.findall(r"\w+", company))[:2].upper(),
        f"info@{domain}",
        domain,
        phone,
        re.sub(r"[^+\d]", "", phone),
        re.sub(r"\D", "", phone),
        f"{fake.building_number()} {fake.street_name()}",
        fake.city(),
        str(getattr(fake, home.region)()),
        fake.postcode(),
        fake.current_country(),
        fake.current_country_code(),
        home.timezone,
    )


def colleague(number: int) -> Colleague:
    """Return the user of the CRM of that number, counted from 0."""
    who = person(_COLLEAGUES + number)
    email = f"{_slug(who.first_name)}.{_slug(who.last_name)}@crm.example"
    return Colleague(who.first_name, who.last_name, who.name, who.initials, email)


def speaks_of(who: Person | Colleague, example: Any) -> bool:
    """Return whether an example, or a text inside it, speaks of a person."""
    if isinstance(example, dict):
        return any(speaks_of(who, value) for value in example.values())
    if isinstance(example, (list, tuple)):
        return any(speaks_of(who, value) for value in example)
    return isinstance(example, str) and any(found in who for found in _WORD.findall(example))


def retold(example: Any, who: Person, helper: Colleague) -> Any:
    """Return an example as it reads for another person, looked after by another colleague."""
    if isinstance(example, dict):
        return {key: retold(value, who, helper) for key, value in example.items()}
    if isinstance(example, (list, tuple)):
        return [retold(value, who, helper) for value in example]
    if not isinstance(example, str):
        return example
    names = (*who, *helper)
    return _WORD.sub(lambda word: names[_WORDS.index(word[0])], example)


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
