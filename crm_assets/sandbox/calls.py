"""Requests: what they carry, and the credentials that an API demands of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from crm_assets.declarations import Connection, Resource
from crm_assets.declarations.json_path import dig, parse_path
from crm_assets.declarations.models.auth import token_auth
from crm_assets.declarations.models.simple_auth import HANDED_OUT
from crm_assets.declarations.models.token_auth import SessionTokenAuth
from crm_assets.sandbox.bodies import enveloped


@dataclass(frozen=True)
class Call:
    """A request, read without knowing which list it asks for."""

    request: Request
    connection: str
    path: list[str]
    """Segments of the path below the connection's name."""
    query: Mapping[str, Any]
    """Query parameters; one given more than once is a list."""
    body: Any
    """Decoded JSON body, fields of a form, else its text, else ``None``."""

    @property
    def sent(self) -> dict[str, Any]:
        """Path, query and body, to be held against templates."""
        return {"path": self.path, "params": self.query, "json": self.body if isinstance(self.body, dict) else {}}

    @classmethod
    async def read(cls, request: Request) -> Call:
        """Read a request."""
        # Decoded segment by segment: a value may contain an encoded slash.
        connection, *path = map(unquote, request.scope["raw_path"].decode("ascii").strip("/").split("/"))
        several = parse_qs(request.url.query, keep_blank_values=True)
        query = {name: values if len(values) > 1 else values[0] for name, values in several.items()}
        body: Any = (await request.body()).decode(errors="replace")
        try:
            body = json.loads(body or "null")
        except ValueError:
            if request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
                body = dict(parse_qsl(body, keep_blank_values=True))
        return cls(request, connection, path, query, body)

    def value(self, name: str, location: str = "query") -> Any:
        """Return a parameter from the query, or from its path in the JSON body."""
        return dig(self.body, parse_path(name)) if location == "json" else self.query.get(name)

    def count(self, name: str, location: str, least: int) -> int:
        """Return a parameter that must be a whole number of at least ``least``.

        Raises:
            HTTPException: It is missing or no such number (400).
        """
        value = self.value(name, location)
        text = str(value)
        if isinstance(value, bool) or not text.isdecimal() or int(text) < least:
            shown = "it is missing" if value is None else f"got {text[:40]!r}"
            raise HTTPException(400, f"{name} must be a whole number of at least {least}; {shown}.")
        return int(text)

    def link(self, name: str, value: object) -> str:
        """Return the address of the same request with another value of a parameter."""
        return str(self.request.url.include_query_params(**{name: value}))


def sandbox_secrets(connection: Connection) -> dict[str, str]:
    """Return the secrets the sandbox accepts for a connection, by name."""
    return {name: f"sandbox-{connection.name}-{name}" for name in connection.system.secrets}


def sandbox_environment(connections: Iterable[Connection], base_url: str) -> dict[str, str]:
    """Return the environment variables that point the connections at a sandbox there and give them its secrets."""
    secrets = [(each.name, *pair) for each in connections for pair in sandbox_secrets(each).items()]
    variables = {f"SOURCES__{connection}__{name}".upper(): secret for connection, name, secret in secrets}
    return {"CRM_ASSETS_SANDBOX": base_url.rstrip("/"), **variables}


def check_credentials(connection: Connection, resource: Resource, call: Call) -> None:
    """Accept a request for a list that carries the connection's sandbox secrets.

    Raises:
        HTTPException: The credential is missing or wrong (401).
    """
    secrets = {**sandbox_secrets(connection), HANDED_OUT: _access_token(connection)}
    auth = resource.endpoint.auth or connection.system.client.auth
    for location, name, expected in auth.sent(secrets):
        sent = call.query if location == "query" else call.request.headers
        if sent.get(name) != expected:
            raise HTTPException(401, f"The credential {name} in the {location} is missing or not valid.")


def answer_login(connection: Connection, call: Call) -> JSONResponse | None:
    """Hand out a token to a request that carries the secrets of a login, or ``None`` to one that is no login.

    Raises:
        HTTPException: One of the secrets is missing or wrong (401).
    """
    logins = filter(None, map(token_auth, connection.system.auths))
    auth = next((each for each in logins if urlsplit(each.login_url).path.strip("/") == "/".join(call.path)), None)
    if auth is None:
        return None
    secrets, headers = sandbox_secrets(connection), call.request.headers
    sent = f"{call.body} {call.query} {headers.values()}"
    with suppress(ValueError):
        sent += base64.b64decode(headers.get("Authorization", "").removeprefix("Basic ")).decode()
    missing = [name for name in auth.secrets if secrets[name] not in sent]
    if missing:
        raise HTTPException(401, f"The login is missing {' and '.join(missing)}.")
    token, header = _access_token(connection), auth.access_token_header if isinstance(auth, SessionTokenAuth) else None
    # Seconds it is said to be valid for; the sandbox never refuses one.
    values = {auth.expires_in_path: 3600} | ({} if header else {auth.access_token_path: token})
    return JSONResponse(enveloped({}, values), headers={header: token} if header else None)


def _access_token(connection: Connection) -> str:
    return f"sandbox-{connection.name}-access-token"
