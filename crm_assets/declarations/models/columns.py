"""Columns: the typed, described fields of a resource."""

from __future__ import annotations

import re
from enum import Enum
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field, field_validator, model_validator

from crm_assets.declarations.json_path import WILDCARD, parse_path
from crm_assets.declarations.models.base import PLACEHOLDER, Spec
from crm_assets.declarations.names import check_column_names
from crm_assets.declarations.time_zone import TimeZoneName

MASK = "•••"
"""Shown in place of the values of columns with personal data."""


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


MICROSECONDS: dict[str, float] = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1, "epoch_ns": 0.001}
"""Microseconds in a unit of the formats that are numbers."""
_RESPONSE_FORMATS = ("iso", *MICROSECONDS, "dotnet")
_DIRECTIVES = re.compile(r"(?:[^%]|%[YymdHIMSfpbBjzaA%])*%[Yy](?:[^%]|%[YymdHIMSfpbBjzaA%])*")
"""Patterns with a year, of the directives that Python's and DuckDB's ``strptime`` read alike."""


def _check_response_format(value: str) -> str:
    if value not in _RESPONSE_FORMATS and not _DIRECTIVES.fullmatch(value):
        raise ValueError(
            f"expected {', '.join(_RESPONSE_FORMATS)} or a pattern with a year, such as %d.%m.%Y %H:%M "
            f"(of %Y %y %m %d %H %I %M %S %f %p %b %B %j %z %a %A), got {value!r}"
        )
    return value


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
    format: Annotated[str, AfterValidator(_check_response_format)] = "iso"
    """How a server writes times: ``iso``, a number of units since 1970 (``epoch_s``, ``epoch_ms``, ``epoch_us``,
    ``epoch_ns``), ``dotnet`` (``/Date(…)/``), or a pattern of ``strptime``. ISO 8601 text is read beside all but
    patterns."""
    timezone: TimeZoneName | None = None
    """Zone of times without an offset, and of the days that moments fall on; the default is the connection's."""
    examples: tuple[Any, ...] = ()
    """Values the API is known to use, ``None`` where it may send none; the sandbox draws from them."""
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

    @model_validator(mode="after")
    def _zone_of_times_only(self) -> Column:
        if self.timezone and self.type not in (ColumnType.TIMESTAMP, ColumnType.DATE):
            raise ValueError(f"timezone is for timestamps and dates, and the type is {self.type.value}")
        return self

    @field_validator("source")
    @classmethod
    def _one_value(cls, source: str | None) -> str | None:
        if source is not None and WILDCARD in parse_path(source):
            raise ValueError(f"{source!r} names many values; a column has one: declare the list itself as json")
        if source is not None and not all(parse_path(source)):
            raise ValueError(f"{source!r} names a field without a name; such a field is kept in _extra")
        return source

    @property
    def placeholder(self) -> str | None:
        """Name of the request value this column holds (a parent's key, a window's start), if it is one."""
        match = PLACEHOLDER.fullmatch(self.source or "")
        return match[1] if match else None

    def wire_path(self, name: str) -> tuple[str, ...]:
        """Return the path of the value inside a record, for the column called ``name``."""
        return parse_path(self.source) if self.source else (name,)


Columns: TypeAlias = Annotated[dict[str, Column], AfterValidator(check_column_names)]
