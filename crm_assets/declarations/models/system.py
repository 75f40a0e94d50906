"""Systems and their resources: the whole declaration."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from crm_assets.declarations.json_path import parse_path
from crm_assets.declarations.models.auth import Auth
from crm_assets.declarations.models.base import Spec, placeholders
from crm_assets.declarations.models.columns import Columns
from crm_assets.declarations.models.endpoint import Endpoint
from crm_assets.declarations.models.incremental import Incremental, Window
from crm_assets.declarations.models.simple_auth import NoAuth
from crm_assets.declarations.validate import check_base_url, check_headers, check_resource, check_system

NAME = r"^[a-z][a-z0-9_]*$"


def _names(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, (str, int)) else value


FixedValues = Annotated[tuple[str | int, ...], BeforeValidator(_several), Field(min_length=1)]


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
    """Regular expression the whole value must match."""


class Client(Spec):
    """What all requests to a system share."""

    base_url: Annotated[str, AfterValidator(check_base_url)]
    auth: Auth = NoAuth(type="none")
    headers: Annotated[dict[str, str], AfterValidator(check_headers)] = Field(default_factory=dict)
    params: dict[str, Any] = Field(default_factory=dict)
    """Query parameters of every request."""


class Reference(NamedTuple):
    """A value in the rows of one resource that is a key of another's."""

    column: str
    path: tuple[str, ...]
    """Where the value is inside a ``json`` column; empty for the column itself."""
    resource: str
    key: str
    """The column of ``resource`` it is a value of."""


class Parent(Spec):
    """The resource whose rows a child list is read for, one list per row."""

    resource: str
    field: str = "id"
    """The parent's column whose value fills the placeholder."""
    placeholder: str
    """Name of the placeholder."""
    only_changed: bool = False
    """Ask only the parents that changed since the last read; all of them when the parent is read in full."""
    further_fields: dict[str, str] = Field(default_factory=dict)
    """Further columns of the parent, by the placeholders they fill, in requests or in columns."""

    @property
    def values(self) -> dict[str, str]:
        """All columns of the parent that a list is read with, by placeholder."""
        return {self.placeholder: self.field, **self.further_fields}


class Resource(Spec):
    """One REST list, one table, one asset."""

    resolved_keys: ClassVar[frozenset[str]] = frozenset({"remove"})

    name: str = Field(pattern=NAME)
    description: str = ""
    endpoint: Endpoint
    primary_key: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """Columns that tell rows apart; a list without them is written as a whole."""
    write_disposition: Literal["merge", "replace", "append"]
    """``merge``: by ``primary_key``. ``replace``: each read takes the place of the one before. ``append``: rows of all
    reads, told apart by ``_read_id``. Left out it is ``merge`` with a key and ``replace`` without one."""
    selected: bool = True
    """Whether it has a table; otherwise it is read for its children alone."""
    for_each: dict[str, FixedValues] = Field(default_factory=dict)
    """Values that fill placeholders, one list each; ``{param}`` stands for those a connection gives, by commas."""
    parent: Parent | None = None
    incremental: Incremental | None = None
    window: Window | None = None
    columns: Columns = Field(default_factory=dict)
    """A field that is not among them is kept in ``_extra``."""
    verified: Literal["contract", "connector", "inferred", "observed"] = "contract"
    """What the declaration rests on: the vendor's documentation, a working connector, a reading of either, or answers
    of the API that were looked at."""
    evidence: str = ""
    """Where that was found, and what was in doubt."""
    max_delete_fraction: float = Field(default=0.3, ge=0, le=1)
    """Greatest share of the live rows that one full refresh may mark as deleted."""

    @property
    def mode(self) -> Literal["window", "incremental", "full_refresh"]:
        """How the resource is read day after day."""
        return "window" if self.window else "incremental" if self.incremental else "full_refresh"

    @property
    def wire_placeholders(self) -> frozenset[str]:
        """Names of all placeholders its requests contain."""
        filters = [part for part in (self.window, self.incremental) if part]
        endpoint = self.endpoint
        templates: list[object] = [endpoint.path, endpoint.headers, endpoint.params, endpoint.json_body]
        templates += [template for part in filters for template in (part.params, part.json_body)]
        return frozenset(placeholders(templates))

    @model_validator(mode="before")
    @classmethod
    def _written_as_its_key_allows(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "write_disposition" in value:
            return value
        return {**value, "write_disposition": "merge" if value.get("primary_key") else "replace"}

    @model_validator(mode="after")
    def _is_sound(self) -> Resource:
        check_resource(self)
        return self


class System(Spec):
    """A family of APIs, or (with ``extends``) a vendor profile of one."""

    resolved_keys: ClassVar[frozenset[str]] = frozenset({"extends", "resource_defaults"})
    loader_keys: ClassVar[frozenset[str]] = frozenset({"base_system", "path"})

    name: str = Field(pattern=NAME)
    title: str = ""
    description: str = ""
    origin: str | None = None
    """Number of the seed document it was declared from."""
    base_system: str | None = None
    """Name of the system a vendor profile extends; filled by the loader."""
    params: dict[str, Param] = Field(default_factory=dict)
    client: Client
    rate_limit: RateLimit | None = None
    notes: tuple[str, ...] = ()
    """What a user of this system should know: conflicts in the vendor's documents, settings, quirks."""
    resources: tuple[Resource, ...]
    path: str = ""
    """The file it was read from; filled by the loader."""

    @property
    def tables(self) -> tuple[Resource, ...]:
        """The resources that have a table."""
        return tuple(resource for resource in self.resources if resource.selected)

    @property
    def auths(self) -> tuple[Auth, ...]:
        """All kinds of authentication of its requests."""
        own = (resource.endpoint.auth for resource in self.resources)
        return tuple(auth for auth in (self.client.auth, *own) if auth)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of all secrets its requests need."""
        return tuple(dict.fromkeys(name for auth in self.auths for name in auth.secrets))

    def with_auths(self, change: Callable[[Auth], Auth]) -> System:
        """Return the system with every authentication changed."""
        client = self.client.model_copy(update={"auth": change(self.client.auth)})
        resources = tuple(
            resource.model_copy(
                update={"endpoint": resource.endpoint.model_copy(update={"auth": change(resource.endpoint.auth)})}
            )
            if resource.endpoint.auth
            else resource
            for resource in self.resources
        )
        return self.model_copy(update={"client": client, "resources": resources})

    def resource(self, name: str) -> Resource:
        """Return the resource of that name.

        Raises:
            KeyError: There is none.
        """
        return {resource.name: resource for resource in self.resources}[name]

    def references(self, resource: Resource) -> tuple[Reference, ...]:
        """Return what a resource refers to, without the resources a connection leaves out."""
        keys = {other.name: other.primary_key for other in self.resources}
        declared = [
            (name, parse_path(path), *target.partition("."))
            for name, column in resource.columns.items()
            for path, target in column.references.items()
        ]
        return tuple(
            Reference(name, path, target, key or keys[target][0])
            for name, path, target, _, key in declared
            if target in keys
        )

    @model_validator(mode="after")
    def _is_sound(self) -> System:
        check_system(self)
        return self
