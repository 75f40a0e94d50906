"""A connection's secrets, looked up through dlt's own providers: environment, ``.dlt/secrets.toml``, vaults."""

from __future__ import annotations

import re
from typing import Any

from crm_assets.declarations.models.connection import Connection
from crm_assets.extract.errors import SecretError

_PLACEHOLDER = re.compile(
    r"<.*>|\.\.\.|x{3,}|(your|my)[-_ ].*|change[-_ ]?me|todo|unset|none|null|example|secret", re.IGNORECASE
)


def secrets_of(connection: Connection) -> dict[str, str]:
    """Return the connection's secrets by name.

    Raises:
        SecretError: One is missing, empty or still a placeholder; the message says where to set it.
    """
    secrets = {}
    for name in connection.system.secrets:
        secrets[name], problem = _looked_up(connection, name)
        if problem:
            raise SecretError(problem)
    return secrets


def missing_secrets(connection: Connection) -> list[str]:
    """Return what is wrong with the connection's secrets, a sentence for each."""
    names = connection.system.secrets
    return [problem for name in names if (problem := _looked_up(connection, name)[1])]


def optional_secret(key: str) -> str | None:
    """Return a secret that need not be set, such as ``alerts.webhook_url``."""
    import dlt

    value: Any = dlt.secrets.get(key)
    return str(value) if value else None


def secret_variable(connection: Connection, name: str) -> str:
    """Return the environment variable that holds a secret."""
    return f"SOURCES__{connection.name}__{name}".upper()


def _looked_up(connection: Connection, name: str) -> tuple[str, str]:
    """Return a secret, and what is wrong with it."""
    import dlt

    value: Any = dlt.secrets.get(f"sources.{connection.name}.{name}")
    text = "" if value is None else str(value).strip()
    if text and not _PLACEHOLDER.fullmatch(text):
        return text, ""
    state = "is not set" if value is None else "is empty" if not text else "is still a placeholder"
    return "", (
        f"Connection {connection.name}: the secret {name} {state}. Set the environment variable "
        f"{secret_variable(connection, name)}, or {name} under [sources.{connection.name}] in .dlt/secrets.toml."
    )
