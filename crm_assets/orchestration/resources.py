"""Dagster resources: the secrets of all connections."""

from __future__ import annotations

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.extract.secrets import optional_secret, secrets_of


class CrmSecrets(dg.ConfigurableResource):  # type: ignore[type-arg]  # it hands itself to the assets
    """Secrets through dlt's own providers: environment, ``.dlt/secrets.toml``, vaults.

    It has no configuration, so the UI cannot show a secret. Values are looked up when a run needs them.
    """

    def of(self, connection: Connection) -> dict[str, str]:
        """Return the connection's secrets by name.

        Raises:
            SecretError: One is missing, empty or still a placeholder; the message says where to set it.
        """
        return secrets_of(connection)

    def optional(self, key: str) -> str | None:
        """Return a secret that need not be set, such as ``alerts.webhook_url``."""
        return optional_secret(key)
