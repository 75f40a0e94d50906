"""The one base class of what is reported to people.

::

    CrmAssetsError                  shown as one line
    ├── SettingsError               an environment variable has an unusable value
    ├── SpecError                   a declaration or a connection cannot be used
    ├── CommandError                a command cannot do what it was asked for
    ├── ReadError                   a resource cannot be read to its end
    │   ├── SecretError             a secret is missing
    │   ├── UndecodableError        records cannot be decoded
    │   └── UnexpectedResponseError the response is not the declared list
    ├── WarehouseError              the warehouse cannot be opened or written
    ├── WebhookError                an alert was not delivered
    └── RefusedError                the sandbox refuses a request

Files that cannot be used, and dlt's own that are not valid TOML, are shown as one line, too. Everything else is a bug
and keeps its traceback.
"""

from __future__ import annotations

import sys


class CrmAssetsError(Exception):
    """Something a person can act on; its text is a sentence and never contains a secret."""


class SettingsError(CrmAssetsError):
    """An environment variable has a value that cannot be used."""


class CommandError(CrmAssetsError):
    """A command cannot do what it was asked for."""


def sentence_of(error: Exception) -> str | None:
    """Return what to show of an error that a person can act on, or ``None`` for a bug."""
    if isinstance(error, CrmAssetsError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}."
    toml = sys.modules.get("dlt.common.configuration.providers.toml")  # importing it here would take a second
    if toml and isinstance(error, toml.TomlProviderReadException):
        return f"{error.file_name} is not valid TOML: {str(error).splitlines()[-1]}."
    return None
