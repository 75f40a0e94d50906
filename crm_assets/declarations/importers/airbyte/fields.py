"""Fields of a stream made into columns, and its key."""

from __future__ import annotations

from typing import Any

from jinja2 import nodes

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.airbyte.columns import add_column, manifest_columns
from crm_assets.declarations.importers.airbyte.expressions import (
    Moment,
    Named,
    NoCounterpartError,
    named,
    parts,
    value_of,
)
from crm_assets.declarations.importers.airbyte.templates import Templates, values_in
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.models.base import placeholders
from crm_assets.declarations.spellings.names import snake_case


class Fields:
    """The fields of one stream's records, with those that the manifest adds.

    Args:
        name: Name of the stream.
        given: Its document in the manifest.
        templates: Its templates.
        notes: Takes what is assumed or lost.
    """

    def __init__(self, name: str, given: Document, templates: Templates, notes: Notes) -> None:
        self._name, self._given, self._templates, self._notes = name, given, templates, notes
        self._added: dict[str, str] = {}
        """Columns of the fields that the manifest adds, by the names it gives them."""
        self._computed: set[str] = set()
        """Fields that the manifest computes, and that no column has."""
        self.schema = self._inline_schema()
        """The schema of its records, where the manifest contains it."""
        self.columns = self._declared()

    def _inline_schema(self) -> Document | None:
        loader = self._given.get("schema_loader") or {}
        loader = loader[0] if isinstance(loader, list) and loader else loader
        schema = loader.get("schema") if isinstance(loader, dict) else None
        if isinstance(schema, dict):
            return schema
        self._notes.add("assumed", "no schema is inline: every field becomes a column", self._name)
        return None

    def _declared(self) -> Document:
        found = manifest_columns(self.schema, self._flattened(self.schema))
        for transformation in self._given.get("transformations") or ():
            self._transform(transformation, found)
        return found

    def _flattened(self, schema: Any) -> str:
        for one in self._given.get("transformations") or ():
            path = one.get("field_path") or []
            properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
            if one.get("type") == "DpathFlattenFields" and len(path) == 1 and path[0] not in properties:
                self._notes.add(
                    "assumed", f"all fields but id, type, links and relationships are in {path[0]}", self._name
                )
                return str(path[0])
        return ""

    def _transform(self, given: Document, found: Document) -> None:
        match given.get("type"):
            case "AddFields":
                if given.get("condition"):
                    self._notes.add("lost", f"fields are added only if {given['condition']}", self._name)
                for each in given.get("fields") or ():
                    self._add_field(each, found)
            case "RemoveFields" | "KeysToLower" | "KeysToSnakeCase" | "DpathFlattenFields" | "FlattenFields":
                pass
            case kind:
                self._notes.add("lost", f"records are changed by {kind or 'custom code'}", self._name)

    def _add_field(self, each: Document, found: Document) -> None:
        path, value = [str(part) for part in each.get("path") or []], named(each.get("value"))
        text = str(each.get("value"))
        source = path_text(value.path) if isinstance(value, Named) and value.root == "record" and value.path else ""
        if not source and "{{" in text:
            try:
                filled = self._templates.text(text)
            except NoCounterpartError:
                filled = ""
            source = filled if len(placeholders(filled)) == 1 and filled.startswith("{") else ""
        if isinstance(value, Moment) or (
            isinstance(value, Named) and value.root in ("stream_slice", "stream_partition") and not source
        ):
            self._notes.add(
                "assumed",
                f"the field {'.'.join(path)} is left out: {text.strip()} is not taken from the record",
                self._name,
            )
            return
        if source and len(path) > 1:
            self._notes.add(
                "assumed", f"the field {'.'.join(path)} is the column {snake_case('_'.join(path))}", self._name
            )
            path = ["_".join(path)]
        if not source and "format_datetime" in text and self._is_its_own(text, path):
            self._notes.add("assumed", f"the time {path[0]} is kept as it arrives, not reformatted", self._name)
            return
        if not source:
            alone = self._is_of_the_record(text) and not {path[0]} & {*map(str, self._key_paths())}
            self._computed.add(path[0])
            follows = "can be computed from the record: " if alone else "computed from "
            self._notes.add(
                "assumed" if alone else "lost", f"the field {'.'.join(path)} {follows}{text.strip()[:60]}", self._name
            )
            return
        declared = (name for name, column in found.items() if column.get("source", name) == path_text((path[0],)))
        own = next(declared, None) or snake_case(path[0])
        found[own] = {**found.get(own, {"type": "text"}), "source": source}
        self._added[path[0]] = own

    @staticmethod
    def _is_of_the_record(text: str) -> bool:
        """Whether a template is a plain text, or names nothing but values of the record."""
        try:
            expressions = [part for part in parts(text) if not isinstance(part, str)]
        except NoCounterpartError:
            return False
        names = [
            one.name
            for each in expressions
            for one in (each, *each.find_all(nodes.Name))
            if isinstance(one, nodes.Name)
        ]
        return {*names} <= {"record"}

    @staticmethod
    def _is_its_own(text: str, path: list[str]) -> bool:
        """Whether a template names no other value than the field it is for."""
        found = [value_of(node) for part in parts(text) if isinstance(part, nodes.Expr) for node in values_in(part)]
        return {one.path for one in found if isinstance(one, Named)} == {tuple(path)}

    def column(self, path: str, kind: str = "text") -> str:
        """Return the column for a path of a record, or for a placeholder; one is added where there is none.

        Raises:
            NoCounterpartError: It is a field that the manifest computes.
        """
        if path in self._computed:
            raise NoCounterpartError(f"the field {path}, which is computed, has no column")
        if path in self._added:
            return self._added[path]
        for name, column in self.columns.items():
            if column.get("source", name) == path:
                return str(name)
        return add_column(self.columns, path.strip("{}").replace(".", "_"), path, {"type": kind})

    def _key_paths(self) -> list[str]:
        given = self._given.get("primary_key") or []
        paths = [given] if isinstance(given, str) else given
        return [path if isinstance(path, str) else path_text(tuple(map(str, path))) for path in paths]

    def key(self) -> list[str]:
        """Return the columns of the primary key, made fit to be one; none where a part of it is computed."""
        paths = self._key_paths()
        key = []
        for path in paths if not self._computed & {*paths} else ():
            name = self.column(path)
            column = self.columns[name]
            column |= {"nullable": False, **({"type": "text"} if column["type"] in ("json", "double", "bool") else {})}
            key.append(name)
        if not key:
            why = "the key is computed" if paths else "no key is declared"
            self._notes.add("assumed", f"{why}: each read replaces the table", self._name)
        return list(dict.fromkeys(key))
