"""Transcripts: conversations with an API, written down by hand from its documentation.

A file ``<system or profile>/<resource>.yaml`` (further cases: ``<resource>.<case>.yaml``) holds the keys of
:class:`Transcript`. YAML is read as JSON would be: only ``true`` and ``false`` are truth values, only plain decimal
numbers are numbers, and dates are text. An unknown key is an error, so that a slip of the pen asserts nothing less.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from crm_assets.declarations.yaml_reader import SafeLoader

FOLDER = Path(__file__).parent


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Asked(_Part):
    """A request as the API must see it."""

    method: Literal["GET", "POST"]
    path: str
    """Percent-encoded as sent, with the path of the declaration's own base_url in front."""
    query: dict[str, str | list[str]] = Field(default_factory=dict)
    """All query parameters, decoded; a list for one that is given several times."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers that must be there with exactly this value; others are free."""
    body: Any = Field(default=None, alias="json")
    """The exact JSON body; none when left out."""


class Answer(_Part):
    """What the API answers."""

    status: int = 200
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = Field(default=None, alias="json")
    text: str | None = None
    """The body as it stands, instead of ``json``; it goes out as HTML if it starts with ``<``, else as JSON."""


class Exchange(_Part):
    """One request and its answer."""

    request: Asked
    answer: Answer
    optional: bool = False
    """The request may be left out: a page fetched ahead, past the end."""


class Window(_Part):
    """Days asked for; the end is the first day after."""

    window: tuple[str, str]


class Since(_Part):
    """The cursor's starting point."""

    since: str


class Transcript(_Part):
    """One reading of one resource, request by request, and what must come of it."""

    system: str
    resource: str
    params: dict[str, str | int] = Field(default_factory=dict)
    secrets: dict[str, str]
    connection: dict[str, Any] = Field(default_factory=dict)
    """Further keys of the connection: ``timezone``, ``columns``, ``concurrency`` and so on."""
    read: Literal["full_refresh"] | Window | Since = "full_refresh"
    exchanges: tuple[Exchange, ...]
    rows: list[dict[str, Any]] | None = None
    """All rows, in any order; a column that is null may be left out. Instants are compared as instants, decimals as
    numbers, json columns as JSON; ``_extra`` and ``_misfits`` are json columns too. A record that must come through
    as it is can be given as a YAML alias."""
    rejected: tuple[str, ...] = ()
    """A piece of each rejected record's reason."""
    skipped: tuple[str, ...] = ()
    """A piece of what is said of each list that was passed over."""
    proof: dict[str, Any] = Field(default_factory=dict)
    """Further facts the completeness proof must state, such as ``duplicates: 2``."""
    complete: bool = True
    error: str | tuple[str, ...] = ()
    """Instead of ``rows``: pieces of the sentence by which the reading must be refused."""

    @model_validator(mode="after")
    def _ends_somehow(self) -> Transcript:
        if bool(self.error) == (self.rows is not None):
            raise ValueError("give rows or error")
        return self

    @property
    def error_pieces(self) -> tuple[str, ...]:
        """Pieces of the sentence the reading must be refused with; empty for one that must succeed."""
        return (self.error,) if isinstance(self.error, str) else self.error


class _Loader(SafeLoader):
    """YAML whose plain scalars are those of JSON."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|", ["n", ""]),
    ("int", r"-?(0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def _number(kind: type[int] | type[float]) -> Callable[[_Loader, yaml.ScalarNode], Any]:
    return lambda loader, node: kind(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _number(int))
_Loader.add_constructor("tag:yaml.org,2002:float", _number(float))


def transcript_files() -> list[Path]:
    """Return the files of all transcripts."""
    return sorted(FOLDER.glob("*/*.yaml"))


@cache
def load_transcript(path: Path) -> Transcript:
    """Return the transcript of a file; its place must be that of its system and resource."""
    loader = _Loader(path.read_text(encoding="utf-8"))
    try:
        transcript = Transcript.model_validate(loader.get_single_data())
    finally:
        loader.dispose()
    assert (transcript.system, transcript.resource) == (path.parent.name, path.name.split(".")[0]), path
    return transcript
