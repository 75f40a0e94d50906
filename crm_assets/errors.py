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

Everything else is a bug and keeps its traceback.
"""

from __future__ import annotations


class CrmAssetsError(Exception):
    """Something a person can act on; its text is a sentence and never contains a secret."""


class SettingsError(CrmAssetsError):
    """An environment variable has a value that cannot be used."""


class CommandError(CrmAssetsError):
    """A command cannot do what it was asked for."""
