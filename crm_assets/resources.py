"""Dagster resources: the secrets of all connections."""

from __future__ import annotations

import re
from typing import Any

import dagster as dg

from crm_assets.rest.errors import SecretError
from crm_assets.spec.auth import ApiKeyAuth
from crm_assets.spec.base import placeholders
from crm_assets.spec.connections import Connection

_PLACEHOLDER = re.compile(
    r"<.*>|\.\.\.|x{3,}|(your|my)[-_ ].*|change[-_ ]?me|todo|unset|none|null|example|secret", re.IGNORECASE
)


class CrmSecrets(dg.ConfigurableResource):  # type: ignore[type-arg]  # it hands itself to the assets
    """Secrets through dlt's own providers: environment, ``.dlt/secrets.toml``, vaults.

    It has no configuration, so nothing of a secret can be seen in the UI. Values are looked up when a run needs them.
    """

    def of(self, connection: Connection) -> dict[str, str]:
        """Return the connection's secrets by name.

        Raises:
            SecretError: One is missing, empty or still a placeholder; the sentence says where to set it.
        """
        return {name: self._value(connection, name) for name in secret_names(connection)}

    def missing(self, connection: Connection) -> list[str]:
        """Return what is wrong with the connection's secrets, a sentence for each."""
        return [problem for name in secret_names(connection) if (problem := self._looked_up(connection, name)[1])]

    def optional(self, key: str) -> str | None:
        """Return a secret that need not be there, such as ``alerts.webhook_url``."""
        import dlt

        value: Any = dlt.secrets.get(key)
        return str(value) if value else None

    def _value(self, connection: Connection, name: str) -> str:
        value, problem = self._looked_up(connection, name)
        if problem:
            raise SecretError(problem)
        return value

    def _looked_up(self, connection: Connection, name: str) -> tuple[str, str]:
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


def secret_names(connection: Connection) -> tuple[str, ...]:
    """Return the names of the secrets the connection's authentication needs."""
    auth = connection.system.client.auth
    in_value = placeholders(auth.value) if isinstance(auth, ApiKeyAuth) else ()
    return tuple(dict.fromkeys([*auth.secrets, *in_value]))


def secret_variable(connection: Connection, name: str) -> str:
    """Return the environment variable that holds a secret."""
    return f"SOURCES__{connection.name}__{name}".upper()
