"""Connections: the accounts a company has at such systems."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from crm_assets.declarations.models.auth import token_auth, with_login_at
from crm_assets.declarations.models.base import Spec
from crm_assets.declarations.models.columns import Columns
from crm_assets.declarations.models.request_rules import check_base_url
from crm_assets.declarations.models.system import RateLimit, System
from crm_assets.declarations.models.token_auth import TokenUrl
from crm_assets.declarations.time_zone import TimeZoneName

EXAMPLE_HOSTS = re.compile(r"(.+\.)?(example(\.(com|org|net))?|invalid)")
_HOST_PATTERN = re.compile(r"[a-z0-9_.-]+|[0-9a-f:]+")
STAGING_PREFIX = "crm_assets_"
"""How schemas begin that a load makes for itself."""
SHARED_SCHEMA = "crm_assets"
"""The schema of what is there once for all connections."""
_RESERVED_NAMES = re.compile(
    rf"{SHARED_SCHEMA}|{STAGING_PREFIX}.*|pg_.*|information_schema|main|temp|system|public|warehouse"
)
"""Schemas that are ours or the databases' own; ``warehouse`` is the DuckDB file's name, and ambiguous there."""
_NAME_LENGTH_LIMIT = 50
"""Characters of a schema's name that no destination shortens: PostgreSQL cuts names at 63 (NAMEDATALEN)."""
_DAGSTER_NAME = re.compile(r"[A-Za-z0-9_]+")
_DAGSTER_OWNER = re.compile(r"team:.+|[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+\.[A-Za-z0-9.-]+")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _schema_name(name: str) -> str:
    if _RESERVED_NAMES.fullmatch(name):
        raise ValueError(f"{name!r} is a reserved schema name; choose another")
    if len(name) > _NAME_LENGTH_LIMIT:
        raise ValueError(
            f"the name has {len(name)} characters, and a schema's name may have {_NAME_LENGTH_LIMIT}; shorten it"
        )
    return name


def _dagster_name(name: str) -> str:
    if not _DAGSTER_NAME.fullmatch(name):
        raise ValueError(f"expected letters, digits and underscores, got {name!r}")
    return name


def _dagster_owner(owner: str) -> str:
    if not _DAGSTER_OWNER.fullmatch(owner):
        raise ValueError(f"expected an e-mail address or team:<name>, got {owner!r}")
    return owner


def _schedule(value: Any) -> Any:
    return {"cron": value} if isinstance(value, str) else value


class Schedule(Spec):
    """When a connection is read without being asked."""

    cron: str | None = None
    """Cron of full and incremental reads; the default is a staggered early hour, once a day."""
    windows: str | None = None
    """Cron of the partitioned schedule; the default is the same hour."""
    enabled: bool = False
    sensor_seconds: int = Field(default=300, ge=30)
    """How often the change sensor asks."""


class Connection(Spec):
    """One account at one API. Its name is asset prefix, schema of its tables, secrets section and pool."""

    loader_keys: ClassVar[frozenset[str]] = frozenset({"_system"})

    name: Annotated[str, AfterValidator(_schema_name)] = Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")
    system_name: str = Field(alias="system")
    base_url_override: Annotated[str, AfterValidator(check_base_url)] | None = Field(default=None, alias="base_url")
    token_url: TokenUrl | None = None
    """Address that issues tokens, in place of the declared one: the account's own, or another region's."""
    params: dict[str, str | int] = Field(default_factory=dict)
    """What the system asks for; the loader adds the defaults of what is left out."""
    start_date: date = date(2024, 1, 1)
    """First window partition."""
    timezone: TimeZoneName = "UTC"
    allow_http: bool = False
    """Permit http:// to a host that is not this machine."""
    rate_limit: RateLimit | None = None
    """Overrides the system's figure, for instance after an upgrade of the plan."""
    columns: dict[str, Columns] = Field(default_factory=dict)
    """Further columns (custom fields) by resource."""
    resources: tuple[str, ...] | None = None
    """Only these resources; all when left out."""
    history: tuple[str, ...] = ()
    """Resources of which every version of every row is kept, beside those that declare it."""
    concurrency: int = Field(default=8, ge=1, le=64)
    """Requests in flight at once."""
    owners: tuple[Annotated[str, AfterValidator(_dagster_owner)], ...] = ()
    """Addresses of people, and teams as ``team:<name>``."""
    key_prefix: tuple[Annotated[str, AfterValidator(_dagster_name)], ...] = ()
    """What the keys of its assets begin with, before its name."""
    group: Annotated[str, AfterValidator(_dagster_name)] | None = None
    """Asset group of its tables; its name when left out."""
    schedule: Annotated[Schedule, BeforeValidator(_schedule)] = Schedule()
    max_delete_fraction: float | None = Field(default=None, ge=0, le=1)
    """Overrides every resource's ``max_delete_fraction``."""
    system: System = Field(exclude=True, alias="_system")
    """The declaration, with this connection's params, columns and choice of resources laid over it."""

    @property
    def zone(self) -> ZoneInfo:
        """Time zone of the connection's days."""
        return ZoneInfo(self.timezone)

    @property
    def base_url(self) -> str:
        """Base URL of all requests, parameters filled in."""
        return self.base_url_override or self.system.client.base_url

    @property
    def budget(self) -> RateLimit | None:
        """The rate never to be exceeded, if one is known."""
        return self.rate_limit or self.system.rate_limit

    @property
    def on_this_machine(self) -> bool:
        """Whether the API is served by this machine, as the sandbox is."""
        return urlsplit(self.base_url).hostname in LOOPBACK

    def at(self, base_url: str) -> Connection:
        """Return the connection pointed at another address, such as the sandbox's."""
        system = self.system.with_auths(lambda auth: with_login_at(auth, lambda url: urlsplit(url).path))
        return self.model_copy(update={"base_url_override": base_url, "system": system})

    def scheduled(self) -> Connection:
        """Return the connection with its schedules and sensors turned on."""
        return self.model_copy(update={"schedule": self.schedule.model_copy(update={"enabled": True})})

    def unusable(self) -> str | None:
        """Return what keeps this connection from being read, as a sentence, or ``None``."""
        url = urlsplit(self.base_url)
        host = (url.hostname or "").lower()
        if url.scheme not in ("http", "https") or not _HOST_PATTERN.fullmatch(host):
            return (
                f"Connection {self.name} has the base_url {self.base_url!r}, which is not a web address: "
                f"set it to https:// and the API's host in the connections file."
            )
        if EXAMPLE_HOSTS.fullmatch(host):
            return (
                f"Connection {self.name} still points at the example address {self.base_url}: "
                f"set base_url for it in the connections file, or start the sandbox with `crm-assets sandbox`."
            )
        if url.scheme != "https" and not self.on_this_machine and not self.allow_http:
            return (
                f"Connection {self.name} would send its credentials unencrypted to {host}: "
                f"use https://, or set allow_http: true for it in the connections file."
            )
        return self._unusable_login()

    def _unusable_login(self) -> str | None:
        """Return what keeps its logins from being used: secrets go there unencrypted, or nowhere."""
        logins = (found.login_url for auth in self.system.auths if (found := token_auth(auth)))
        for url in map(urlsplit, logins):
            host, is_path = (url.hostname or "").lower(), not url.scheme and not url.netloc
            if not is_path and (url.scheme not in ("http", "https") or not _HOST_PATTERN.fullmatch(host)):
                return f"Connection {self.name} has the token_url {url.geturl()!r}, which is not a web address."
            if EXAMPLE_HOSTS.fullmatch(host):
                return f"Connection {self.name} still asks for tokens at {url.geturl()}: set token_url for it."
            if url.scheme == "http" and host not in LOOPBACK and not self.allow_http:
                return (
                    f"Connection {self.name} would send its secrets unencrypted to {host}: set token_url to https://."
                )
        return None
