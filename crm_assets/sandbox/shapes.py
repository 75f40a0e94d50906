"""Values of ``json`` columns: lists and objects shaped by what the column is called."""

from __future__ import annotations

import random
import re
from typing import Any

from crm_assets.sandbox.world import Person


def json_value(name: str, person: Person, draws: random.Random) -> Any:
    """Return a JSON value for a column of that name, about a person.

    Args:
        name: Name of the column.
        person: Whom the row is about.
        draws: Stream to draw from.
    """
    for pattern, make in _SHAPES:
        if re.search(pattern, name):
            return make(person, draws)
    return {"id": str(draws.randrange(1, 40)), "note": draws.choice(_WORDS)}


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
    return [{"isPrimary": True, "name": "website", "value": f"https://{person.company.domain}"}]


def _ids(_: Person, draws: random.Random) -> Any:
    return [str(draws.randrange(1, 40)) for _ in range(draws.randrange(3))]


def _words(_: Person, draws: random.Random) -> Any:
    return draws.sample(_WORDS, draws.randrange(3))


def _counts(_: Person, draws: random.Random) -> Any:
    total = draws.randrange(200)
    return {"total": total, "open": draws.randrange(total + 1)}


def _names(person: Person, _: random.Random) -> Any:
    return {"firstName": person.first_name, "lastName": person.last_name}


def _fields(_: Person, draws: random.Random) -> Any:
    return {"segment": draws.choice("ABC"), "Preferred contact": draws.choice(("phone", "e-mail"))}


def _relations(_: Person, draws: random.Random) -> Any:
    return {"owner": {"data": {"id": str(draws.randrange(1, 9)), "type": "users"}}}


def _entries(person: Person, draws: random.Random) -> Any:
    return [{"id": str(draws.randrange(1, 1000)), "name": person.last_name} for _ in range(draws.randrange(3))]


_SHAPES = (
    (r"email", _emails),
    (r"phone", _phones),
    (r"addresses", _addresses),
    (r"address|location", _address),
    (r"url|website", _urls),
    (r"ids$|^ids", _ids),
    (r"tag|label|addon|categor", _words),
    (r"stat(istic)?s$|count|total", _counts),
    (r"custom|propert|field|meta|settings", _fields),
    (r"^name$|(first|full)_?name", _names),
    (r"relation|links?$", _relations),
    (r"[^s]s$|list|changes|history", _entries),
)
