"""Check that a request proves who asks, the way the declaration says."""

from __future__ import annotations

from collections.abc import Mapping

from crm_assets.declarations import Connection, Resource
from crm_assets.declarations.models.simple_auth import HANDED_OUT
from crm_assets.sandbox.environment import sandbox_secrets, sandbox_token
from crm_assets.sandbox.errors import RefusedError


def check_credentials(
    connection: Connection, resource: Resource, headers: Mapping[str, str], query: Mapping[str, str]
) -> None:
    """Accept a request that carries the connection's sandbox secrets.

    Args:
        connection: Whose credentials are wanted.
        resource: The list asked for, which may want credentials of its own.
        headers: Request headers, looked up without regard to case.
        query: Query parameters.

    Raises:
        RefusedError: The credential is missing or wrong (401).
    """
    secrets = {**sandbox_secrets(connection), HANDED_OUT: sandbox_token(connection)}
    auth = resource.endpoint.auth or connection.system.client.auth
    for place, name, expected in auth.sent(secrets):
        given = query.get(name) if place == "query" else headers.get(name)
        if given is None:
            missing = f"The query parameter {name} is missing." if place == "query" else f"Send the header {name}."
            raise RefusedError(401, missing)
        if given != expected:
            raise RefusedError(401, f"The credential in {name} is not valid.")
