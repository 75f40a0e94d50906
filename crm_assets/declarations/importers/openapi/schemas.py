"""Schemas of an OpenAPI document: references followed, compositions merged, lists and values found in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.json_path import Segments
from crm_assets.declarations.models.base import deep_merge

_SCHEMA_DEPTH = 3
"""Objects looked into for the list and for what is said of paging: deeper it is part of a record."""
_FOLLOWED = 20
"""References in a row, beyond which they lead in a circle."""


class Schemas:
    """The schemas of a document.

    Args:
        document: The whole document.
    """

    def __init__(self, document: Document) -> None:
        self._document = document

    def resolved(self, given: Any) -> Document:
        """Return an object of the document, a reference followed; an empty one where it leads nowhere."""
        for _ in range(_FOLLOWED):
            if not isinstance(given, dict) or "$ref" not in given:
                break
            given = self._at(str(given["$ref"]))
        return given if isinstance(given, dict) and "$ref" not in given else {}

    def _at(self, reference: str) -> Any:
        found: Any = self._document
        for part in reference.removeprefix("#/").split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def whole(self, given: Any, depth: int = 0) -> Document:
        """Return a schema with all that it is composed of."""
        schema = self.resolved(given)
        for part in schema.get("allOf") or () if depth < _FOLLOWED else ():
            schema = deep_merge(self.whole(part, depth + 1), {k: v for k, v in schema.items() if k != "allOf"})
        return schema

    def properties(self, given: Any) -> dict[str, Document]:
        """Return the properties of an object's schema."""
        found = self.whole(given).get("properties")
        return {str(name): self.whole(one) for name, one in found.items()} if isinstance(found, dict) else {}

    def members(self, given: Any, above: Segments = ()) -> Iterator[tuple[Segments, Document]]:
        """Yield what is in nested objects, each object before what is in it; lists are not looked into."""
        for name, schema in self.properties(given).items() if len(above) < _SCHEMA_DEPTH else ():
            yield (*above, name), schema
            yield from self.members(schema, (*above, name))

    def record(self, given: Any) -> Document | None:
        """Return the schema of a list's records, or ``None`` where it is no list of objects."""
        schema = self.whole(given)
        if not _is(schema, "array"):
            return None
        record = self.whole(schema.get("items"))
        return record if "properties" in record or _is(record, "object") or not record else None

    def flat(self, record: Document) -> Document:
        """Return a record's schema with its properties resolved, as far as their types go."""
        return {"properties": self.properties(record)}


def _is(schema: Document, kind: str) -> bool:
    given = schema.get("type")
    return kind in given if isinstance(given, list) else given == kind
