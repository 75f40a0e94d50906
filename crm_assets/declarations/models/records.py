"""What is done with the records of an answer before they become rows."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from crm_assets.declarations.json_path import JsonPath
from crm_assets.declarations.models.base import Spec

Scalar = str | int | float | bool | None


class RecordFilter(Spec):
    """A condition that a record has to meet; records that don't are left out and counted."""

    field: JsonPath
    """Path of the value in the record."""
    is_in: tuple[Scalar, ...] | None = Field(default=None, alias="in")
    """The value is one of these; ``null`` is also a value that is not there."""
    not_in: tuple[Scalar, ...] | None = None
    """The value is none of these."""

    @model_validator(mode="before")
    @classmethod
    def _single_values(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            key: [item] if key in ("in", "not_in") and not isinstance(item, list) else item
            for key, item in value.items()
        }

    @model_validator(mode="after")
    def _one_condition(self) -> RecordFilter:
        if (self.is_in is None) == (self.not_in is None):
            raise ValueError("give in or not_in, and a list of values")
        return self


class ResponseDecoder(Spec):
    """How a body becomes JSON. Gzip files are unpacked whatever is declared."""

    type: Literal["json", "jsonl", "csv", "xml"]
    """``jsonl`` has a record on each line; ``csv`` has the names in its first row; ``xml`` has attributes under
    ``@name`` and text beside them under ``#text``."""
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    """Between the fields of ``csv``."""
    encoding: str = "utf-8"
    """Of ``csv`` and ``jsonl``, by Python's name."""

    @model_validator(mode="before")
    @classmethod
    def _from_shorthand(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _known_encoding(self) -> ResponseDecoder:
        try:
            "".encode(self.encoding)
        except LookupError:
            raise ValueError(
                f"unknown encoding {self.encoding!r}; use a name such as utf-8, cp1252 or utf-16"
            ) from None
        return self
