"""The people and companies all systems know: whoever is in several CRMs is the same person, with the same e-mail."""

from __future__ import annotations

import re
from typing import NamedTuple

PEOPLE_PER_COMPANY = 3


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST = _words("""
    Ada Ben Clara David Elena Felix Grace Hugo Ines Jonas Karin Leo Maria Nils Olivia Paul Ruth Samuel Tessa
    Victor Wanda Yusuf Zoe Amir Bianca Carlos Dana Emil Fatima George Hanna Ivan Julia Kofi Lena Mateo Nadia
    Oscar Priya Rafael Sofia Tomas Una Vera Walter Xenia Yara Anton Birgit Chen
""")
_LAST = _words("""
    Stone Hill Rivers Becker Novak Rossi Garcia Meyer Jensen Dubois Kowalski Silva Hughes Okafor Tanaka Lindgren
    Weber Moreau Santos Fischer Walsh Petrov Haddad Larsen Costa Schmidt Martin Ferrari Nilsson Campbell Vogel
    Ortiz Bauer Kaya Brandt Murphy Conti Wagner Lambert Reyes Sato Keller Virtanen Popescu Ahmed Castro Holm
    Pereira Young Ziegler
""")
_STEMS = _words("""
    Northwind Bluewater Redwood Silverline Brightfield Oakridge Harbor Summit Evergreen Lakeside Ironbridge
    Goldleaf Whitestone Clearview Riverbend Starling Foxglove Meadow Granite Juniper Kestrel Lantern Magnolia
    Nightingale Orchard Pinecrest Quarry Rosewood Sandpiper Thistle
""")
_TRADES = (
    ("Trading", "Retail"),
    ("Machinery", "Machinery"),
    ("Software", "Software"),
    ("Logistics", "Logistics"),
    ("Foods", "Food"),
    ("Energy", "Energy"),
    ("Consulting", "Consulting"),
    ("Labs", "Research"),
    ("Interiors", "Furniture"),
    ("Health", "Health care"),
)
_TITLES = (
    "Chief Executive Officer",
    "Head of Sales",
    "Purchasing Manager",
    "Office Manager",
    "Marketing Manager",
    "Software Engineer",
    "Operations Lead",
    "Controller",
)
_STREETS = ("Main Street", "Station Road", "Mill Lane", "Park Avenue", "Church Street", "Harbour Road", "Garden Way")


class Place(NamedTuple):
    """A city with what goes with it."""

    city: str
    region: str
    country: str
    country_code: str
    timezone: str
    postal_code: str
    dialing: str


PLACES = (
    Place("Dresden", "Saxony", "Germany", "DE", "Europe/Berlin", "01067", "+49 351"),
    Place("Chicago", "Illinois", "United States", "US", "America/Chicago", "60601", "+1 312"),
    Place("Lyon", "Auvergne-Rhône-Alpes", "France", "FR", "Europe/Paris", "69002", "+33 4"),
    Place("Leeds", "Yorkshire", "United Kingdom", "GB", "Europe/London", "LS1 4AP", "+44 113"),
    Place("Helsinki", "Uusimaa", "Finland", "FI", "Europe/Helsinki", "00100", "+358 9"),
    Place("Denver", "Colorado", "United States", "US", "America/Denver", "80202", "+1 303"),
    Place("Graz", "Styria", "Austria", "AT", "Europe/Vienna", "8010", "+43 316"),
    Place("Bilbao", "Basque Country", "Spain", "ES", "Europe/Madrid", "48001", "+34 944"),
    Place("Toronto", "Ontario", "Canada", "CA", "America/Toronto", "M5H 2N2", "+1 416"),
    Place("São Paulo", "São Paulo", "Brazil", "BR", "America/Sao_Paulo", "01310-100", "+55 11"),
)


class Company(NamedTuple):
    """A company of the world."""

    name: str
    domain: str
    industry: str
    place: Place
    phone: str


class Person(NamedTuple):
    """A person of the world."""

    first_name: str
    last_name: str
    email: str
    phone: str
    job_title: str
    street: str
    place: Place
    company: Company


def company(number: int) -> Company:
    """Return the company of that number, counted from 0 without end."""
    # Steps that share no factor with the sizes of the lists make every pair appear before one repeats.
    stem = _STEMS[number * 7 % len(_STEMS)]
    trade, industry = _TRADES[(number // len(_STEMS) + number * 3) % len(_TRADES)]
    round_ = number // (len(_STEMS) * len(_TRADES))
    name = f"{stem} {trade}" + (f" {round_ + 1}" if round_ else "")
    place = PLACES[number * 3 % len(PLACES)]
    domain = re.sub(r"[^a-z0-9]+", "-", name.lower()) + ".example"
    return Company(name, domain, industry, place, f"{place.dialing} {5_000_000 + number}")


def person(number: int) -> Person:
    """Return the person of that number, counted from 0 without end."""
    employer = company(number // PEOPLE_PER_COMPANY)
    first = _FIRST[number * 11 % len(_FIRST)]
    last = _LAST[(number // len(_FIRST) + number * 17) % len(_LAST)]
    round_ = number // (len(_FIRST) * len(_LAST))
    local = f"{first}.{last}{round_ + 1 if round_ else ''}".lower()
    title, street = _TITLES[number % len(_TITLES)], f"{number % 180 + 1} {_STREETS[number % len(_STREETS)]}"
    phone = f"{employer.place.dialing} {6_000_000 + number}"
    return Person(first, last, f"{local}@{employer.domain}", phone, title, street, employer.place, employer)
