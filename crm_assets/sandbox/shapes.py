"""Values of ``json`` columns: the shape of the examples, or one that fits the name, told of the row's person."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

from crm_assets.sandbox.facts import country_code, fact_named, fact_of_class, full_name, website
from crm_assets.sandbox.world import Person
from crm_assets.spec import Column


def json_value(name: str, column: Column, person: Person, draws: random.Random) -> Any:
    """Return a JSON value for a column.

    Args:
        name: Name of the column.
        column: Its declaration.
        person: Whom the row is about.
        draws: Stream to draw from.
    """
    if column.examples:
        return _told(draws.choice(column.examples), "", column.pii, person)
    make = next((make for pattern, make in _SHAPES if re.search(pattern, name)), _thing)
    return make(person, draws)


def _told(example: Any, key: str, pii: str | None, person: Person) -> Any:
    """Return the example with the person's own facts in place of those of its invented person."""
    if isinstance(example, dict):
        return {inner: _told(value, inner, pii, person) for inner, value in example.items()}
    if isinstance(example, list):
        return [_told(value, key, pii, person) for value in example]
    return _fact(example, _snake(key), pii, person) if isinstance(example, str) and example else example


def _fact(text: str, key: str, pii: str | None, person: Person) -> str:
    if "@" in text:
        return person.email
    if pii == "url" and text.startswith("http"):
        return website(person)
    if pii == "phone" and re.fullmatch(r"[+\d ()-]{6,}", text):
        return person.phone
    named = fact_named(key)
    if named and (not named[1] or pii == "address") and key != "country_code":
        told = named[0](person)
        return country_code(told) if len(text) == 2 else told
    fact = fact_of_class(pii) if key == "name" and pii == "name" else None
    return fact(person) if fact else text


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[ -]", "_", key).lower()


_WORDS = ("priority", "renewal", "partner", "newsletter", "trial", "export", "local", "wholesale")


def _emails(person: Person, _: random.Random) -> Any:
    return [{"isPrimary": True, "name": "work", "value": person.email}]


def _phones(person: Person, _: random.Random) -> Any:
    return [{"isPrimary": True, "name": "office", "value": person.phone}]


def _addresses(person: Person, draws: random.Random) -> Any:
    return [{"isPrimary": True, "name": "office", "value": _address(person, draws)}]


def _address(person: Person, _: random.Random) -> Any:
    place = person.place
    return {"street": person.street, "city": place.city, "postalCode": place.postal_code, "country": place.country_code}


def _urls(person: Person, _: random.Random) -> Any:
    return [{"isPrimary": True, "name": "website", "value": website(person)}]


def _ids(_: Person, draws: random.Random) -> Any:
    return [str(draws.randrange(1, 40)) for _ in range(draws.randrange(3))]


def _tags(_: Person, draws: random.Random) -> Any:
    return draws.sample(_WORDS, draws.randrange(3))


def _counts(_: Person, draws: random.Random) -> Any:
    total = draws.randrange(200)
    return {"total": total, "open": draws.randrange(total + 1)}


def _fields(_: Person, draws: random.Random) -> Any:
    return {"segment": draws.choice("ABC"), "Preferred contact": draws.choice(("phone", "e-mail"))}


def _relations(_: Person, draws: random.Random) -> Any:
    return {"owner": {"data": {"id": str(draws.randrange(1, 9)), "type": "users"}}}


def _entries(person: Person, draws: random.Random) -> Any:
    return [_thing(person, draws) for _ in range(draws.randrange(3))]


def _thing(person: Person, draws: random.Random) -> Any:
    return {"id": draws.randrange(1, 1000), "name": full_name(person)}


_SHAPES: tuple[tuple[str, Callable[[Person, random.Random], Any]], ...] = (
    (r"email", _emails),
    (r"phone", _phones),
    (r"addresses", _addresses),
    (r"address|location", _address),
    (r"url|website", _urls),
    (r"ids$|^ids", _ids),
    (r"tag|label|addon|categor", _tags),
    (r"stat(istic)?s$|count|total", _counts),
    (r"custom_|propert|field|meta|settings|options", _fields),
    (r"relation|links?$", _relations),
    (r"[^s]s$|list|changes|history", _entries),
)
