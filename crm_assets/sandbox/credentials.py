"""Check that a request proves who asks, the way the declaration says."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from typing_extensions import assert_never

from crm_assets.declarations import Connection
from crm_assets.declarations.models.auth import ApiKeyAuth, BasicAuth, BearerAuth, NoAuth
from crm_assets.declarations.models.base import fill
from crm_assets.sandbox.environment import sandbox_secrets
from crm_assets.sandbox.errors import RefusedError


def check_credentials(connection: Connection, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Accept a request that carries the connection's sandbox secrets.

    Args:
        connection: Whose credentials are wanted.
        headers: Request headers, looked up without regard to case.
        query: Query parameters.

    Raises:
        RefusedError: The credential is missing or wrong (401).
    """
    wanted = _expected(connection)
    if wanted is None:
        return
    place, name, expected = wanted
    given = query.get(name) if place == "query" else headers.get(name)
    if given is None:
        raise RefusedError(
            401, f"The {place} parameter {name} is missing." if place == "query" else f"Send the header {name}."
        )
    if given != expected:
        raise RefusedError(401, f"The credential in {name} is not valid.")


def _expected(connection: Connection) -> tuple[str, str, str] | None:
    secrets = sandbox_secrets(connection)
    match connection.system.client.auth:
        case ApiKeyAuth() as auth:
            return auth.location, auth.name, str(fill(auth.value or f"{{{auth.api_key}}}", dict(secrets)))
        case BasicAuth() as auth:
            pair = f"{secrets[auth.username]}:{secrets[auth.password]}"
            return "header", "Authorization", "Basic " + base64.b64encode(pair.encode()).decode()
        case BearerAuth() as auth:
            return "header", "Authorization", f"Bearer {secrets[auth.token]}"
        case NoAuth():
            return None
        case other:
            assert_never(other)
