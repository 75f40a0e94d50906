"""Systems and their resources: the whole declaration."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from crm_assets.spec.auth import Auth
from crm_assets.spec.base import Spec, placeholders
from crm_assets.spec.columns import Column
from crm_assets.spec.endpoint import Endpoint
from crm_assets.spec.errors import listed, nearest
from crm_assets.spec.modes import Cursor, Window

RESERVED_COLUMNS = frozenset({"_extra", "_misfits", "_deleted_at", "_dlt_load_id", "_dlt_id"})
_NAME = r"^[a-z][a-z0-9_]*$"


def _names(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class RateLimit(Spec):
    """The vendor's published figure; never exceeded, over all runs of a connection on a machine."""

    requests: int = Field(ge=1)
    per: Literal["second", "minute", "hour", "day"] = "minute"

    @property
    def seconds(self) -> float:
        """Length of the period in seconds."""
        return timedelta(**{f"{self.per}s": 1}).total_seconds()


class Param(Spec):
    """Something a connection must (or may) say about its account."""

    description: str
    example: str = ""
    default: str | int | None = None
    pattern: str | None = None


class Client(Spec):
    """What all requests to a system share."""

    base_url: str
    auth: Auth
    headers: dict[str, str] = {}
    params: dict[str, Any] = {}
    """Query parameters of every request."""


class Parent(Spec):
    """The resource whose rows a child list is read for, one list per row."""

    resource: str
    field: str = "id"
    """The parent's column whose value fills the placeholder."""
    bind: str
    """Name of the placeholder."""


class Resource(Spec):
    """One REST list, one table, one asset."""

    name: str = Field(pattern=_NAME)
    description: str = ""
    endpoint: Endpoint
    primary_key: Annotated[tuple[str, ...], BeforeValidator(_names)]
    write_disposition: Literal["merge"] = "merge"
    parent: Parent | None = None
    cursor: Cursor | None = None
    window: Window | None = None
    columns: dict[str, Column]
    verified: Literal["contract", "connector", "inferred"] = "contract"
    """What the declaration rests on: the vendor's documentation, a working connector, or a reading of either."""
    evidence: str = ""
    """Where that was found, and what was in doubt."""
    delete_guard: float = Field(default=0.3, ge=0, le=1)
    """Greatest share of the live rows that one sweep may mark as deleted."""

    @property
    def mode(self) -> Literal["window", "cursor", "sweep"]:
        """How the resource is read day after day."""
        return "window" if self.window else "cursor" if self.cursor else "sweep"

    @property
    def wire_placeholders(self) -> frozenset[str]:
        """Names of all placeholders its requests contain."""
        filters = [part for part in (self.window, self.cursor) if part]
        templates: list[object] = [self.endpoint.path, self.endpoint.params, self.endpoint.json_body]
        templates += [template for part in filters for template in (part.params, part.json_body)]
        return frozenset(name for template in templates for name in placeholders(template))

    @model_validator(mode="after")
    def _columns_exist(self) -> Resource:
        wanted = {"primary_key": self.primary_key}
        if self.window:
            wanted["window.field"] = (self.window.field,)
        if self.cursor:
            wanted["cursor.field"] = (self.cursor.field,)
        for key, names in wanted.items():
            for name in names:
                if name not in self.columns:
                    raise ValueError(f"{key} names no column {name!r}{nearest(name, self.columns)}")
        for name in self.columns:
            if name in RESERVED_COLUMNS or not re.match(_NAME, name):
                raise ValueError(f"column name {name!r} is not allowed: use lower_snake_case, and none of {listed(RESERVED_COLUMNS)}")
        if self.window and self.cursor:
            raise ValueError("give window or cursor, not both")
        return self


class System(Spec):
    """A family of APIs, or (with ``extends``) a vendor profile of one."""

    name: str = Field(pattern=_NAME)
    title: str = ""
    description: str = ""
    seed: str | None = None
    """Number of the seed document it was declared from."""
    neutral: str | None = None
    """Name of the neutral system a vendor profile extends; filled by the loader."""
    params: dict[str, Param] = {}
    client: Client
    rate_limit: RateLimit | None = None
    notes: tuple[str, ...] = ()
    """What a user of this system should know: conflicts in the vendor's documents, settings, quirks."""
    resources: tuple[Resource, ...]
    path: str = ""
    """The file it was read from; filled by the loader."""

    def resource(self, name: str) -> Resource:
        """Return the resource of that name.

        Raises:
            KeyError: There is none.
        """
        return {resource.name: resource for resource in self.resources}[name]

    @model_validator(mode="after")
    def _parents_exist(self) -> System:
        names = [resource.name for resource in self.resources]
        if not names:
            raise ValueError("resources: a system needs at least one resource")
        doubles = {name for name in names if names.count(name) > 1}
        if doubles:
            raise ValueError(f"resources: {listed(doubles)} declared more than once")
        for resource in self.resources:
            self._check_parent(resource, names)
        return self

    def _check_parent(self, resource: Resource, names: list[str]) -> None:
        known = set(self.params) | ({"window_start", "window_end"} if resource.window else set())
        known |= {"cursor_start"} if resource.cursor else set()
        if resource.parent:
            known.add(resource.parent.bind)
            if resource.parent.resource not in names:
                raise ValueError(f"resource {resource.name}, parent: no resource {resource.parent.resource!r}{nearest(resource.parent.resource, names)}")
            if resource.parent.field not in self.resource(resource.parent.resource).columns:
                raise ValueError(f"resource {resource.name}, parent: {resource.parent.resource} has no column {resource.parent.field!r}")
        for name in sorted(resource.wire_placeholders - known):
            raise ValueError(f"resource {resource.name}: nothing fills {{{name}}}; a parent resource, params or a window would{nearest(name, known)}")
        for column, spec in resource.columns.items():
            if spec.placeholder and spec.placeholder not in known:
                raise ValueError(f"resource {resource.name}, column {column}: nothing fills {{{spec.placeholder}}}{nearest(spec.placeholder, known)}")
