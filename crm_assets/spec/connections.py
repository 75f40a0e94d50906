"""Connections: the accounts a company has at such systems, from one YAML file."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field

from crm_assets.spec.base import Spec, fill
from crm_assets.spec.columns import Column
from crm_assets.spec.errors import SpecError, listed, nearest
from crm_assets.spec.load import load_system, read_yaml, validated
from crm_assets.spec.system import RateLimit, System

_EXAMPLE_HOSTS = ("example.com", "example.org", "example.net", "example", "invalid")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"unknown time zone {name!r}{nearest(name, available_timezones())}")
    return name


def _schedule(value: Any) -> Any:
    return {"cron": value} if isinstance(value, str) else value


class Schedule(Spec):
    """When a connection is read without being asked."""

    cron: str | None = None
    """Cron of sweeps and cursors; the default is a staggered early hour, once a day."""
    windows: str | None = None
    """Cron of the partitioned schedule; the default is the same hour."""
    enabled: bool = False
    sensor_seconds: int = Field(default=300, ge=30)
    """How often the change sensor asks."""


class Connection(Spec):
    """One account at one API. Its name is asset prefix, schema of its tables, secrets section and pool."""

    name: str = Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")
    system_name: str = Field(alias="system")
    base_url_override: str | None = Field(default=None, alias="base_url")
    params: dict[str, str | int] = {}
    start_date: date = date(2024, 1, 1)
    """First window partition."""
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    allow_http: bool = False
    """Permit http:// to a host that is not this machine."""
    rate_limit: RateLimit | None = None
    """Overrides the system's figure, for instance after an upgrade of the plan."""
    columns: dict[str, dict[str, Column]] = {}
    """Further columns (custom fields) by resource."""
    resources: tuple[str, ...] | None = None
    """Only these resources; all when left out."""
    concurrency: int = Field(default=8, ge=1, le=64)
    """Requests in flight at once."""
    owners: tuple[str, ...] = ()
    schedule: Annotated[Schedule, BeforeValidator(_schedule)] = Schedule()
    delete_guard: float | None = Field(default=None, ge=0, le=1)
    """Overrides every resource's ``delete_guard``."""
    system: System = Field(exclude=True, alias="_system")
    """The declaration, with this connection's params, columns and choice of resources laid over it."""

    @property
    def zone(self) -> ZoneInfo:
        """Time zone of the connection's days."""
        return ZoneInfo(self.timezone)

    @property
    def base_url(self) -> str:
        """Base URL of all requests, parameters filled in."""
        return str(fill(self.base_url_override or self.system.client.base_url, dict(self.params)))

    @property
    def budget(self) -> RateLimit | None:
        """The rate never to be exceeded, if one is known."""
        return self.rate_limit or self.system.rate_limit

    def at(self, base_url: str) -> Connection:
        """Return the connection pointed at another address, such as the sandbox's."""
        return self.model_copy(update={"base_url_override": base_url})

    def unusable(self) -> str | None:
        """Return what keeps this connection from being read, as a sentence, or ``None``."""
        url = urlsplit(self.base_url)
        host = (url.hostname or "").lower()
        if host.endswith(_EXAMPLE_HOSTS) or not host:
            return (
                f"Connection {self.name} still points at the example address {self.base_url}: "
                f"set base_url for it in the connections file, or start the sandbox with `crm-assets sandbox`."
            )
        if url.scheme != "https" and host not in _LOOPBACK and not self.allow_http:
            return (
                f"Connection {self.name} would send its credentials unencrypted to {host}: "
                f"use https://, or set allow_http: true for it in the connections file."
            )
        return None


def connections_path() -> Path:
    """Return the connections file: ``CRM_ASSETS_CONNECTIONS``, or ``connections.yaml`` in the working folder."""
    return Path(os.environ.get("CRM_ASSETS_CONNECTIONS") or "connections.yaml")


def load_connections(path: Path | None = None) -> tuple[Connection, ...]:
    """Load and check all connections; with ``CRM_ASSETS_SANDBOX`` set, each is pointed at ``<its value>/<name>``.

    Raises:
        SpecError: The file or one of its connections is wrong, or two have one name.
    """
    path = path or connections_path()
    document = read_yaml(path)
    sandbox = os.environ.get("CRM_ASSETS_SANDBOX")
    entries = document.get("connections")
    if not isinstance(entries, list) or set(document) - {"connections", "systems"}:
        raise SpecError("expected a list under connections: (and, for own declarations, a folder under systems:)", path.name)
    extra = (path.parent / document["systems"]).resolve() if "systems" in document else None
    connections = tuple(_connection(entry, position, path, extra) for position, entry in enumerate(entries, 1))
    if sandbox:
        connections = tuple(connection.at(f"{sandbox.rstrip('/')}/{connection.name}") for connection in connections)
    names = [connection.name for connection in connections]
    doubles = {name for name in names if names.count(name) > 1}
    if doubles:
        raise SpecError(f"two connections are called {listed(doubles)}; give each account its own name", path.name)
    return connections


def _connection(entry: Any, position: int, path: Path, extra: Path | None) -> Connection:
    if not isinstance(entry, dict):
        raise SpecError("expected a mapping with name and system", path.name, f"connection number {position}")
    place = (path.name, f"connection {entry.get('name', f'number {position}')}")
    try:
        if not isinstance(entry.get("system"), str):
            raise SpecError("names no system; set system: to one of the known ones")
        system = load_system(entry["system"], extra)
        connection: Connection = validated(Connection, {**entry, "_system": system})
        return connection.model_copy(update={"system": _tailored(system, connection)})
    except SpecError as error:
        raise error.inside(*place) from error.__cause__


def _tailored(system: System, connection: Connection) -> System:
    names = {resource.name for resource in system.resources}
    for key, wanted in (("columns", set(connection.columns)), ("resources", set(connection.resources or ()))):
        for name in sorted(wanted - names):
            raise SpecError(f"{system.name} has no resource {name!r}{nearest(name, names)}", f"key {key}")
    resources = tuple(
        resource.model_copy(update={"columns": {**resource.columns, **connection.columns.get(resource.name, {})}})
        for resource in system.resources
    )
    values = _params(system, connection)
    client = system.client.model_copy(
        update={
            "params": {key: value for key, value in _dict(fill(system.client.params, values)).items() if value != ""},
            "headers": fill(system.client.headers, values),
            "base_url": fill(system.client.base_url, values),
        }
    )
    return system.model_copy(update={"resources": _with_params(_chosen(resources, connection), values), "client": client})


def _dict(value: object) -> dict[str, Any]:
    assert isinstance(value, dict)
    return value


def _params(system: System, connection: Connection) -> dict[str, object]:
    for name in connection.params:
        if name not in system.params:
            raise SpecError(f"{system.name} takes no parameter {name!r}{nearest(name, system.params)} It takes: {listed(system.params)}", "key params")
    values: dict[str, object] = {name: spec.default for name, spec in system.params.items() if spec.default is not None}
    values.update(connection.params)
    for name, spec in system.params.items():
        if name not in values:
            raise SpecError(f"params: {name} is missing: {spec.description}", "key params")
    return values


def _chosen(resources: tuple[Any, ...], connection: Connection) -> tuple[Any, ...]:
    if connection.resources is None:
        return resources
    return tuple(resource for resource in resources if resource.name in connection.resources)


def _with_params(resources: tuple[Any, ...], values: dict[str, object]) -> tuple[Any, ...]:
    if not values:
        return resources
    return tuple(
        resource.model_copy(
            update={
                "endpoint": resource.endpoint.model_copy(
                    update={
                        "path": fill(resource.endpoint.path, values),
                        "params": fill(resource.endpoint.params, values),
                        "json_body": fill(resource.endpoint.json_body, values),
                    }
                )
            }
        )
        for resource in resources
    )

