"""What the columns of a resource stand for: key, references to other resources, moments in a row's life."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from crm_assets.declarations import Column, ColumnType, Resource, System
from crm_assets.declarations.loader import singular

Kind = Literal["person", "company"]

_PERSON = re.compile(r"e_?mail|first_?name|last_?name|surname")
_COMPANY = re.compile(r"\b(compan(y|ies)|organi[sz]ations?|business(es)?|firms?)\b", re.IGNORECASE)
_ID_OF = re.compile(
    r"ID of (?:the|a) ([a-z]+(?: [a-z]+)??)(?= (?:who|it|whose|that|responsible|record|the|is|was)\b|[,;.]|$)"
)
_CREATED = re.compile(r"creat|entered|^date$|^time$|happen|start|begin|first|_on$|added|issued|displayed")
_UPDATED = re.compile(r"updat|modif|chang|edited")
_FUTURE = re.compile(r"due|end|expir|until|next|clos|valid|renew")


@dataclass(frozen=True)
class Roles:
    """The roles of one resource's columns."""

    key: str | None
    """The column that counts the rows."""
    references: dict[str, str]
    """Resources by the column that refers to them."""
    created: tuple[str, ...]
    updated: tuple[str, ...]
    later: tuple[str, ...]
    """Dates after the creation, some of them in the future."""
    kind: Kind | None
    """What its rows are, when they are people or companies."""

    @property
    def times(self) -> frozenset[str]:
        """All columns whose values are moments in a row's life."""
        return frozenset((*self.created, *self.updated, *self.later))


def roles(system: System, resource: Resource) -> Roles:
    """Return what the columns of a resource of the system stand for."""
    references = _references(system, resource)
    times = [name for name, column in resource.columns.items() if is_time(column) and not column.placeholder]
    cursor = resource.incremental.field if resource.incremental else None
    window = resource.window.field if resource.window else None
    future = [name for name in times if _FUTURE.search(name) and not _UPDATED.search(name)]
    updated = [n for n in times if n != window and (_UPDATED.search(n) or (n == cursor and not _CREATED.search(n)))]
    # What happens on the day a window speaks of came into being that day, unless it was planned for it.
    created = [n for n in times if n not in (*updated, *future) and (n == window or _CREATED.search(n))]
    later = [name for name in times if name not in (*updated, *created)]
    return Roles(_key(resource, references), references, tuple(created), tuple(updated), tuple(later), _kind(resource))


def is_time(column: Column) -> bool:
    """Tell whether a column holds dates or timestamps."""
    return column.type in (ColumnType.DATE, ColumnType.TIMESTAMP)


def _references(system: System, resource: Resource) -> dict[str, str]:
    by_name = {f"{singular(other.name)}_id": other.name for other in system.resources}
    by_words = {singular(other.name).replace("_", " "): other.name for other in system.resources}
    found: dict[str, str] = {}
    for name, column in resource.columns.items():
        if column.type not in (ColumnType.TEXT, ColumnType.BIGINT) or column.placeholder or name == "id":
            continue
        told = _ID_OF.match(column.description)
        named = next((by_name[known] for known in by_name if name == known or name.endswith(f"_{known}")), None)
        target = named or (by_words.get(told[1]) if told else None)
        if target and not (target == resource.name and name in resource.primary_key):
            found[name] = target
    return found


def _key(resource: Resource, references: dict[str, str]) -> str | None:
    countable = [
        name
        for name in resource.primary_key
        if resource.columns[name].type in (ColumnType.TEXT, ColumnType.BIGINT)
        and not resource.columns[name].placeholder
    ]
    own = [name for name in countable if name not in references]
    return next(iter([*own, *countable]), None)


def _kind(resource: Resource) -> Kind | None:
    named = resource.columns.get("name")
    if named and named.type is ColumnType.TEXT and names_company(named.description or resource.description):
        return "company"
    return "person" if any(_is_person(name, column) for name, column in resource.columns.items()) else None


def _is_person(name: str, column: Column) -> bool:
    if column.type not in (ColumnType.TEXT, ColumnType.JSON):
        return False
    return bool(_PERSON.fullmatch(name)) or (name == "name" and column.pii == "name")


def names_company(text: str) -> bool:
    """Tell whether a description speaks of a company."""
    return bool(_COMPANY.search(text))
