"""Values of ``json`` columns: the shape of the examples, or one that fits the name, told of the row's person."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Any

from crm_assets.declarations import Column
from crm_assets.sandbox.facts import Fact, country_code, fact_named, fact_of_class, full_name, website
from crm_assets.sandbox.world import Person

Teller = Callable[[Person], Any]


def json_values(name: str, column: Column, people: Sequence[Person], draws: random.Random) -> list[Any]:
    """Return a JSON value for each row of a column.

    Args:
        name: Name of the column.
        column: Its declaration.
        people: Whom the rows are about.
        draws: Stream to draw from.
    """
    if column.examples:
        tellers = [_teller(example, "", column.pii) for example in column.examples]
        return [draws.choice(tellers)(person) for person in people]
    make = next((make for pattern, make in _SHAPES if re.search(pattern, name)), _thing)
    return [make(person, draws) for person in people]


def _teller(example: Any, key: str, pii: str | None) -> Teller:
    """Return what makes a person's value of an example: the same shape, with the person's own facts."""
    if isinstance(example, dict):
        fields = {inner: _teller(value, inner, pii) for inner, value in example.items()}
        return lambda person: {inner: tell(person) for inner, tell in fields.items()}
    if isinstance(example, list):
        members = [_teller(value, key, pii) for value in example]
        return lambda person: [tell(person) for tell in members]
    fact = _fact(example, _snake(key), pii) if isinstance(example, str) and example else None
    return fact or (lambda _: example)


def _fact(text: str, key: str, pii: str | None) -> Fact | None:
    if "@" in text:
        return lambda person: person.email
    if pii == "url" and text.startswith("http"):
        return website
    if pii == "phone" and re.fullmatch(r"[+\d ()-]{6,}", text):
        return lambda person: person.phone
    fact, vague = fact_named(key) or (None, False)
    if fact and key != "country_code" and (not vague or pii == "address"):
        told = fact
        return (lambda person: country_code(told(person))) if len(text) == 2 else told
    return fact_of_class(pii) if key == "name" and pii == "name" else None


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
    return {"owner": {"data": {"id": str(draws.randrange(1, 9)), "type": "owners"}}}


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
