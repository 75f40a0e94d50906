"""Systems: the whole declaration."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from crm_assets.declarations.json_path import parse_path
from crm_assets.declarations.models.auth import Auth
from crm_assets.declarations.models.base import Spec
from crm_assets.declarations.models.request_rules import check_base_url, check_headers
from crm_assets.declarations.models.resource import NAME_PATTERN, Reference, Resource
from crm_assets.declarations.models.simple_auth import NoAuth


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


class System(Spec):
    """A family of APIs, or (with ``extends``) a vendor profile of one."""

    resolved_keys: ClassVar[frozenset[str]] = frozenset({"extends", "resource_defaults"})
    loader_keys: ClassVar[frozenset[str]] = frozenset({"base_system", "path"})

    name: str = Field(pattern=NAME_PATTERN)
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
