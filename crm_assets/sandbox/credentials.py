"""Credentials: the secrets and tokens of the sandbox, demanded the way the declarations say."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import unquote_plus, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from crm_assets.declarations import Connection, Resource
from crm_assets.declarations.models.auth import token_auth
from crm_assets.declarations.models.simple_auth import HANDED_OUT
from crm_assets.declarations.models.token_auth import SessionTokenAuth, TokenAuth
from crm_assets.sandbox.bodies import enveloped

_TOKEN_SECONDS = 3600
"""How long a token is said to be valid; the sandbox never refuses one."""


def sandbox_secrets(connection: Connection) -> dict[str, str]:
    """Return the secrets the sandbox accepts for a connection, by name."""
    return {name: f"sandbox-{connection.name}-{name}" for name in connection.system.secrets}


def sandbox_environment(connections: Iterable[Connection], base_url: str) -> dict[str, str]:
    """Return the environment variables that point the connections at a sandbox there and give them its secrets."""
    variables = {"CRM_ASSETS_SANDBOX": base_url.rstrip("/")}
    for connection in connections:
        for name, secret in sandbox_secrets(connection).items():
            variables[f"SOURCES__{connection.name}__{name}".upper()] = secret
    return variables


def check_credentials(connection: Connection, resource: Resource, request: Request) -> None:
    """Accept a request for a list that carries the connection's sandbox secrets.

    Raises:
        HTTPException: The credential is missing or wrong (401).
    """
    secrets = {**sandbox_secrets(connection), HANDED_OUT: _access_token(connection)}
    auth = resource.endpoint.auth or connection.system.client.auth
    for location, name, expected in auth.sent(secrets):
        sent = request.query_params if location == "query" else request.headers
        if sent.get(name) != expected:
            raise HTTPException(401, f"The credential {name} in the {location} is missing or not valid.")


def login_at(connection: Connection, path: Iterable[str]) -> TokenAuth | None:
    """Return the login a path below the connection's name belongs to."""
    logins = filter(None, map(token_auth, connection.system.auths))
    return next((login for login in logins if urlsplit(login.login_url).path.strip("/") == "/".join(path)), None)


async def answer_login(connection: Connection, auth: TokenAuth, request: Request) -> JSONResponse:
    """Hand out a token to a request that carries the secrets of a login.

    Raises:
        HTTPException: One of them is missing or wrong (401).
    """
    secrets, authorization = sandbox_secrets(connection), request.headers.get("Authorization", "")
    sent = "\n".join([(await request.body()).decode(errors="replace"), request.url.query, *request.headers.values()])
    with suppress(ValueError):
        sent += base64.b64decode(authorization.removeprefix("Basic ")).decode()
    missing = [name for name in auth.secrets if secrets[name] not in sent + unquote_plus(sent)]
    if missing:
        raise HTTPException(401, f"The login is missing {' and '.join(missing)}.")
    token = _access_token(connection)
    header = auth.access_token_header if isinstance(auth, SessionTokenAuth) else None
    values = {auth.expires_in_path: _TOKEN_SECONDS} | ({} if header else {auth.access_token_path: token})
    return JSONResponse(enveloped({}, values), headers={header: token} if header else None)


def _access_token(connection: Connection) -> str:
    return f"sandbox-{connection.name}-access-token"
