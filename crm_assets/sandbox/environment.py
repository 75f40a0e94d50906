"""Environment variables that point the configured connections at the sandbox."""

from __future__ import annotations

from collections.abc import Iterable

from crm_assets.declarations import Connection


def sandbox_secrets(connection: Connection) -> dict[str, str]:
    """Return the secrets the sandbox accepts for a connection, by name."""
    return {name: f"sandbox-{connection.name}-{name}" for name in connection.system.secrets}


def sandbox_token(connection: Connection) -> str:
    """Return the token the sandbox hands out for a connection."""
    return f"sandbox-{connection.name}-access-token"


def sandbox_environment(connections: Iterable[Connection], base_url: str) -> dict[str, str]:
    """Return the environment variables that point the connections at a sandbox and give them its secrets.

    Args:
        connections: The connections it serves.
        base_url: Where it listens, such as ``http://127.0.0.1:8123``.
    """
    variables = {"CRM_ASSETS_SANDBOX": base_url.rstrip("/")}
    for connection in connections:
        for name, secret in sandbox_secrets(connection).items():
            variables[f"SOURCES__{connection.name}__{name}".upper()] = secret
    return variables
