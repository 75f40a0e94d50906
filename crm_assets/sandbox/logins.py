"""Logins: the addresses that hand out tokens, for declarations that need one."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_plus, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from crm_assets.declarations import Connection
from crm_assets.declarations.models.auth import token_auth
from crm_assets.declarations.models.token_auth import SessionTokenAuth, TokenAuth
from crm_assets.sandbox.environment import sandbox_secrets, sandbox_token
from crm_assets.sandbox.errors import RefusedError
from crm_assets.sandbox.http_io import json_response
from crm_assets.sandbox.wire import enveloped

_SECONDS = 3600
"""How long a token is valid; the sandbox never refuses one."""


def login_at(connection: Connection, segments: list[str]) -> TokenAuth | None:
    """Return the login a path below the connection's name belongs to."""
    logins = (token_auth(auth) for auth in connection.system.auths)
    return next((one for one in logins if one and _segments(one.login_url) == segments), None)


async def answer_login(connection: Connection, auth: TokenAuth, request: Request) -> Response:
    """Hand out a token to a request that carries the secrets of a login.

    Raises:
        RefusedError: One of them is missing or wrong (401).
    """
    secrets = sandbox_secrets(connection)
    given = [(await request.body()).decode(errors="replace"), request.url.query, *request.headers.values()]
    given = [*given, *map(unquote_plus, given), _decoded(request.headers.get("Authorization", ""))]
    missing = [name for name in auth.secrets if not any(secrets[name] in text for text in given)]
    if missing:
        raise RefusedError(401, f"The login lacks {' and '.join(missing)}.")
    token = sandbox_token(connection)
    header = auth.access_token_header if isinstance(auth, SessionTokenAuth) else None
    values = {auth.expires_in_path: _SECONDS} | ({} if header else {auth.access_token_path: token})
    return json_response(enveloped({}, values), headers={header: token} if header else None)


def _segments(url: str) -> list[str]:
    return [segment for segment in urlsplit(url).path.split("/") if segment]


def _decoded(header: str) -> str:
    try:
        return base64.b64decode(header.removeprefix("Basic ")).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
