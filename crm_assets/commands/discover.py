"""Discover: a few polite requests, and a declaration of what they showed."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crm_assets.commands.discover_text import completed, text_of
from crm_assets.commands.doctor import examine
from crm_assets.declarations.errors import unknown
from crm_assets.declarations.loader import SYSTEMS, load_system, parse_system, validated
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.errors import CommandError
from crm_assets.extract import progress
from crm_assets.extract.discovery.asker import Asker
from crm_assets.extract.discovery.look import Look, Looker
from crm_assets.extract.discovery.places import links_of
from crm_assets.extract.errors import ReadError
from crm_assets.extract.first_page import PAGE_TIMEOUT, FirstPageReader
from crm_assets.extract.http.request import Request
from crm_assets.extract.page_reader import open_connection
from crm_assets.extract.secrets import secrets_of
from crm_assets.extract.shared_state import SharedState

_PACE = {"requests": 2, "per": "second"}
"""Rate of requests while the server's limit is unknown."""
_CONNECTION_NAME = r"[a-z][a-z0-9]*(_[a-z0-9]+)*"


@dataclass(frozen=True)
class Discovery:
    """What was found of a connection."""

    name: str
    looks: tuple[Look, ...]
    refused: dict[str, str]
    """Resources that could not be examined, and why."""
    text: str = ""
    """The declaration, which the loader has accepted."""
    doubts: tuple[str, ...] = ()
    """What doctor said of the declaration, a sentence per resource."""


def auth_declaration(text: str) -> dict[str, Any]:
    """Return the declaration of what ``--auth`` says in short.

    Raises:
        CommandError: It says nothing that is known.
    """
    kind, _, place = text.partition(":")
    name, _, value = place.partition("=")
    match kind:
        case "none" | "bearer" | "basic" if not place:
            return {"type": kind}
        case "header" | "query" if name:
            template = {"value": value} if value else {}
            return {"type": "api_key", "name": name, "api_key": "api_key", "location": kind, **template}
        case "oauth" if place:
            return {"type": "oauth2_client_credentials", "access_token_url": place}
        case _:
            raise CommandError(
                f"--auth {text} is not known: give none, bearer, basic, header:NAME, query:NAME or oauth:TOKEN_URL."
            )


def connection_at(url: str, auth: str, paths: tuple[str, ...], name: str | None) -> Connection:
    """Return a connection to an address of which only paths are known; without any it has the address itself.

    Raises:
        CommandError: The address or the name cannot be used.
        SpecError: Something else cannot.
    """
    name = name or _name_of(url)
    if not re.fullmatch(_CONNECTION_NAME, name):
        raise CommandError(f"--name {name} cannot be a schema's name: use lower_snake_case.")
    entries = [{"name": each, "endpoint": {"path": path}} for path, each in _list_names(paths or ("",)).items()]
    client = {"base_url": url, "auth": auth_declaration(auth)}
    system = parse_system({"name": name, "client": client, "rate_limit": _PACE, "resources": entries})
    connection = validated(Connection, {"name": name, "system": name, "_system": system})
    problem = connection.unusable()
    if problem:
        raise CommandError(problem)
    return connection


def discover(connection: Connection, only: str | None, state: SharedState) -> Discovery:
    """Look at the lists of a connection and declare them.

    Args:
        connection: The account.
        only: The one resource to look at; all when left out.
        state: Has the account's rate and tokens.

    Raises:
        CommandError: The resource is unknown, or no list could be examined.
        SpecError: What was found makes no declaration; a bug.
    """
    names = [resource.name for resource in connection.system.resources]
    if only and only not in names:
        raise CommandError(unknown(f"resource of {connection.name}", only, names))
    discovery = asyncio.run(_looked(connection, [only] if only else names, state))
    if not discovery.looks:
        reasons = "; ".join(f"{name}: {why}" for name, why in discovery.refused.items())
        raise CommandError(f"No list of {connection.name} could be examined. {reasons}.")
    text = text_of(discovery.name, completed(connection.system, discovery.looks), discovery.looks, connection.base_url)
    return replace(discovery, text=text, doubts=tuple(_verified(connection, discovery, text, state)))


def chosen(url: str, auth: str, paths: tuple[str, ...], name: str | None, state: SharedState) -> Connection:
    """Return a connection to an address with the paths given, or else those that the answer at the address links to.

    Raises:
        CommandError: The address or the name cannot be used.
    """
    connection = connection_at(url, auth, paths, name)
    linked = () if paths else asyncio.run(_linked(connection, state))
    return connection_at(url, auth, linked, name) if linked else connection


async def _linked(connection: Connection, state: SharedState) -> tuple[str, ...]:
    budget, stores = state.rate_limiter(connection), state.token_stores(connection)
    async with open_connection(connection, secrets_of(connection), budget, stores) as opened:
        asker = Asker(opened.client, PAGE_TIMEOUT)
        seen = await asker.tried(Request("GET", connection.base_url, dict(connection.system.client.params)))
        return tuple(links_of(seen.body, connection.base_url)) if seen else ()


async def _looked(connection: Connection, names: list[str], state: SharedState) -> Discovery:
    say = progress.notices(connection.name)
    budget, stores = state.rate_limiter(connection, say), state.token_stores(connection)
    looks, refused = list[Look](), dict[str, str]()
    async with open_connection(connection, secrets_of(connection), budget, stores) as opened:
        parents = FirstPageReader(connection, opened, 1, PAGE_TIMEOUT)
        looker = Looker(connection, opened, Asker(opened.client, PAGE_TIMEOUT), parents)
        for name in names:
            found = await _look(looker, connection.system.resource(name))
            if isinstance(found, Look):
                looks.append(found)
            else:
                refused[name] = opened.credentials.redact(found.problem)
    return Discovery(connection.name, tuple(looks), refused)


async def _look(looker: Looker, resource: Resource) -> Look | ReadError:
    try:
        return await looker.look(resource)
    except ReadError as error:
        return error


def _verified(connection: Connection, discovery: Discovery, text: str, state: SharedState) -> list[str]:
    """Load the declaration as a sync would, ask its lists for their first pages, and return what is in doubt."""
    own = Path(connection.system.path) if connection.system.path else None
    packaged = own is not None and SYSTEMS in own.parents
    with tempfile.TemporaryDirectory() as systems:
        for other in own.parent.glob("*.yaml") if own and not packaged else ():  # it may extend one of them
            shutil.copy(other, systems)
        written = Path(systems) / f"{connection.system.name}{'_observed' if packaged else ''}.yaml"
        written.write_text(text, encoding="utf-8")
        system = load_system(written.stem, Path(systems))
    chosen = tuple(
        resource for resource in system.resources if resource.name in {look.resource for look in discovery.looks}
    )
    system = system.model_copy(update={"resources": chosen, "rate_limit": connection.budget})
    (diagnosis,) = examine([connection.model_copy(update={"system": system})], state)
    return [
        f"{finding.resource}: {finding.sentence}"
        for finding in diagnosis.findings
        if finding.state in ("doubt", "problem")
    ]


def _name_of(url: str) -> str:
    labels = (urlsplit(url).hostname or "").split(".")
    words = labels[-2] if len(labels) > 1 and not labels[-1].isdigit() else "my_crm"
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") or "my_crm"


def _list_names(paths: tuple[str, ...]) -> dict[str, str]:
    """Return a name for each path: its last word, and as many of those before it as make it unique."""
    names: dict[str, str] = {}
    for path in dict.fromkeys(paths):
        parts = [_snake_word(part) for part in urlsplit(path).path.split("/")]
        words = [part for part in parts if part and part[0].isalpha()] or ["records"]
        choices = ["_".join(words[-count:]) for count in range(1, len(words) + 1)]
        numbered = (f"{choices[-1]}_{number}" for number in range(2, len(paths) + 2))
        names[path] = next(candidate for candidate in (*choices, *numbered) if candidate not in names.values())
    return names


def _snake_word(part: str) -> str:
    part = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", part.removesuffix(".json"))
    return re.sub(r"[^a-z0-9]+", "_", part.lower()).strip("_")
