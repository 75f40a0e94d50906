"""What a person's record says under the usual names of fields."""

from __future__ import annotations

import re
from collections.abc import Callable

from crm_assets.sandbox.world import PLACES, Person

Fact = Callable[[Person], str]


def fact_named(name: str) -> tuple[Fact, bool] | None:
    """Return what a field of that name says about a person, and whether examples say it better.

    Args:
        name: Name of the field in snake case.
    """
    for pattern, fact, vague in _FACTS:
        if re.search(pattern, name):
            return fact, vague
    return None


def fact_of_class(pii: str | None) -> Fact | None:
    """Return what a field of this class of personal data says about a person."""
    return _BY_CLASS.get(pii or "")


def country_code(country: str) -> str:
    """Return the two letters of a country's name."""
    return _CODES.get(country, country)


def full_name(person: Person) -> str:
    """Return given and family name."""
    return f"{person.first_name} {person.last_name}"


def website(person: Person) -> str:
    """Return the address of the employer's website."""
    return f"https://{person.company.domain}"


_CODES = {place.country: place.country_code for place in PLACES}
_FACTS: tuple[tuple[str, Fact, bool], ...] = (
    (r"(?<!not_)(?<!no_)e_?mails?(_address)?$|^emailed|^assignee$", lambda person: person.email, False),
    (r"phone|mobile$|^fax$|cell_?phone", lambda person: person.phone, False),
    (r"first_?name|given_?name", lambda person: person.first_name, False),
    (r"last_?name|sur_?name|family_?name", lambda person: person.last_name, False),
    (r"middle_?name|salutation|suffix|address_?[23]$", lambda _: "", True),
    (r"initials", lambda person: person.first_name[0] + person.last_name[0], False),
    (r"^(compan(y|ies)|organi[sz]ation|business|employer)(_?name)?$", lambda person: person.company.name, False),
    (r"(compan(y|ies)|business|account)_name$", lambda person: person.company.name, False),
    (r"(full|display|contact|user|owner|customer|assignee|creator|author|then)_?name$", full_name, False),
    (r"linkedin", lambda p: f"https://www.linkedin.example/in/{p.first_name}-{p.last_name}".lower(), False),
    (r"website|domain|homepage", website, False),
    (r"job_?title|^position$", lambda person: person.job_title, True),
    (r"(^|_)city$", lambda person: person.place.city, False),
    (r"country_?code", lambda person: person.place.country_code, False),
    (r"country$", lambda person: person.place.country, False),
    (r"time_?zone", lambda person: person.place.timezone, True),
    (r"zip|postal|postcode", lambda person: person.place.postal_code, False),
    (r"(^|_)(state|region|province)$", lambda person: person.place.region, True),
    (r"street|address(_?1)?$", lambda person: person.street, False),
    (r"industry", lambda person: person.company.industry, True),
)
_BY_CLASS: dict[str, Fact] = {
    "name": full_name,
    "email": lambda person: person.email,
    "phone": lambda person: person.phone,
    "address": lambda person: f"{person.street}, {person.place.city}",
    "url": lambda person: f"{website(person)}/{person.last_name.lower()}",
}
