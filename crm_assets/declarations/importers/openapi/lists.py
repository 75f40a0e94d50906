"""Lists among the operations of an OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.openapi.schemas import Schemas
from crm_assets.declarations.json_path import Segments
from crm_assets.declarations.spellings.names import snake_case

PARAMETER = re.compile(r"\{([^{}]+)\}")
_RECORDS = ("data", "items", "results", "records", "values", "entries", "rows", "content", "value", "objects", "list")
_NAME_LIMIT = 53


@dataclass(frozen=True)
class ListOperation:
    """An operation that answers with a list."""

    name: str
    path: str
    operation: Document
    parameters: list[Document]
    answer: Document
    """Schema of the answer."""
    headers: Any
    selector: Segments
    record: Document
    """Schema of a record."""


@dataclass(frozen=True)
class Unreadable:
    """An operation that is not a list, and why."""

    path: str
    why: str


def lists_of(document: Document, schemas: Schemas) -> Iterator[ListOperation | Unreadable]:
    """Yield what is found at each path that can be asked for with GET."""
    paths = {path: schemas.resolved(item) for path, item in (document.get("paths") or {}).items()}
    readable = [path for path, item in paths.items() if isinstance(item.get("get"), dict)]
    for path, name in names(readable).items():
        operation = paths[path]["get"]
        given = [*(paths[path].get("parameters") or ()), *(operation.get("parameters") or ())]
        parameters = [one for one in map(schemas.resolved, given) if isinstance(one.get("name"), str)]
        response = _response(operation, schemas)
        answer = _json_of(response)
        place = _records_place(answer, path, schemas)
        if isinstance(place, str):
            yield Unreadable(path, place)
        else:
            selector, record = place
            yield ListOperation(
                name, path, operation, parameters, schemas.whole(answer), response.get("headers"), selector, record
            )


def names(paths: list[str]) -> dict[str, str]:
    """Return a name for each path: its last word, and as many of those before it as make it unique."""
    found: dict[str, str] = {}
    for path in sorted(paths, key=lambda one: one.count("/")):
        words = [snake_case(part.removesuffix(".json")) for part in path.split("/") if part and "{" not in part]
        words = [word for word in words if re.fullmatch(r"[a-z][a-z0-9_]*", word)] or ["records"]
        choices = [_short_name("_".join(words[-count:])) for count in range(1, len(words) + 1)]
        numbered = (f"{choices[-1][: _NAME_LIMIT - 4]}_{number}" for number in range(2, len(paths) + 2))
        found[path] = next(one for one in (*choices, *numbered) if one not in found.values())
    return {path: found[path] for path in paths}


def _short_name(name: str) -> str:
    return re.sub(r"_{2,}", "_", name)[-_NAME_LIMIT:].strip("_0123456789") or "records"


def _response(operation: Document, schemas: Schemas) -> Document:
    answers = {str(status): answer for status, answer in (operation.get("responses") or {}).items()}
    return schemas.resolved(next((answers[one] for one in ("200", "2XX", "206", "default") if one in answers), {}))


def _json_of(response: Document) -> Any:
    content = response.get("content") or {}
    kinds = [kind for kind in content if "json" in kind] or [kind for kind in content if kind == "*/*"]
    return (content[kinds[0]] or {}).get("schema") if kinds else None


def _records_place(answer: Any, path: str, schemas: Schemas) -> tuple[Segments, Document] | str:
    """Return where the records are and their schema, or why that is unknown."""
    if answer is None:
        return "the document does not say what it answers"
    if (record := schemas.record(answer)) is not None:
        return (), record
    lists = [(at, found) for at, one in schemas.members(answer) if (found := schemas.record(one)) is not None]
    if path.rstrip("/").endswith("}") or not lists:
        return "answers with one object"
    last = snake_case(path.rstrip("/").rsplit("/", 1)[-1])
    for wanted in (last, *_RECORDS):
        for at, record in lists:
            if snake_case(at[-1]) == wanted:
                return at, record
    if len(lists) > 1:
        return (
            f"answers with several lists ({', '.join('.'.join(at) for at, _ in lists)}), of which none has a usual name"
        )
    return lists[0]
