"""Columns: the typed, described fields of a resource."""

from __future__ import annotations

import re
from enum import Enum
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, field_validator, model_validator

from crm_assets.declarations.errors import listed
from crm_assets.declarations.json_path import WILDCARD, parse_path
from crm_assets.declarations.models.base import PLACEHOLDER, Spec

RESERVED_COLUMNS = frozenset({"_extra", "_misfits", "_deleted_at", "_read_id", "_dlt_load_id", "_dlt_id"})


class ColumnType(str, Enum):
    """The declared types; the names are dlt's."""

    TEXT = "text"
    BIGINT = "bigint"
    DOUBLE = "double"
    DECIMAL = "decimal"
    BOOL = "bool"
    TIMESTAMP = "timestamp"
    DATE = "date"
    JSON = "json"


class Column(Spec):
    """One column of a resource's table."""

    type: ColumnType
    """Declared type. Nested objects and arrays are ``json``."""
    description: str = ""
    """What the value means, for analysts."""
    nullable: bool = True
    """Whether the API may leave it out or send null."""
    pii: str | None = Field(default=None, pattern=r"^[a-z_]+$")
    """Class of personal data (``name``, ``email``, ``phone``, ``address``, ``text``, …); masked in previews."""
    source: str | None = None
    """Path on the wire when it differs from the name, or ``{placeholder}`` for a value of the request itself."""
    format: Literal["iso", "epoch_s", "epoch_ms"] = "iso"
    """How a timestamp or date stands on the wire; ISO 8601 text is understood in every case."""
    timezone: str | None = None
    """Time zone of times without an offset, where it is not the connection's."""
    examples: tuple[Any, ...] = ()
    """Values the API is known to use; the sandbox draws from them."""
    references: dict[str, str] = Field(default_factory=dict)
    """Resource whose key the value is: ``contacts``, or ``contacts.id`` where the key has several columns. For ``json``
    also a mapping from paths inside the value. A list refers to a row with each member."""

    @model_validator(mode="before")
    @classmethod
    def _from_shorthand(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @field_validator("references", mode="before")
    @classmethod
    def _whole_value(cls, references: Any) -> Any:
        return {"$": references} if isinstance(references, str) else references

    @field_validator("source")
    @classmethod
    def _one_value(cls, source: str | None) -> str | None:
        if source is not None and WILDCARD in parse_path(source):
            raise ValueError(f"{source!r} names many values; a column holds one: declare the list itself as json")
        return source

    @property
    def placeholder(self) -> str | None:
        """Name of the request value this column holds (a parent's key, a window's start), if it is one."""
        found = PLACEHOLDER.fullmatch(self.source or "")
        return found[1] if found else None

    def wire_path(self, name: str) -> tuple[str, ...]:
        """Return the path of the value inside a record, for the column called ``name``."""
        return parse_path(self.source) if self.source else (name,)


def _nameable(columns: dict[str, Column]) -> dict[str, Column]:
    for name in columns:
        if name in RESERVED_COLUMNS or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(
                f"column name {name!r} is not allowed: use lower_snake_case, and none of {listed(RESERVED_COLUMNS)}"
            )
    return columns


Columns: TypeAlias = Annotated[dict[str, Column], AfterValidator(_nameable)]
