"""Authentication: how a request proves who asks. Secrets are named here, never held."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Union

from pydantic import BeforeValidator, Field

from crm_assets.spec.base import Spec

_REFERENCE = re.compile(r"""dlt\.secrets\[\s*["']([A-Za-z0-9_.]+)["']\s*\]""")


def _secret_name(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = _REFERENCE.fullmatch(value.strip())
    name = found[1].rsplit(".", 1)[-1] if found else value
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError('expected the name of a secret, such as dlt.secrets["api_key"]; a declaration holds no secret')
    return name


SecretName = Annotated[str, BeforeValidator(_secret_name)]


class ApiKeyAuth(Spec):
    """A key in a header or in the query."""

    type: Literal["api_key"]
    name: str = "Authorization"
    """Header or query parameter that carries the key."""
    api_key: SecretName = "api_key"
    location: Literal["header", "query"] = "header"
    value: str | None = None
    """Template of what is sent, such as ``Token token={api_token}``; without it the bare key."""

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.api_key,)


class BasicAuth(Spec):
    """HTTP Basic; the dialect's ``basic`` is dlt's ``http_basic``."""

    type: Literal["basic", "http_basic"]
    username: SecretName = "username"
    password: SecretName = "password"  # noqa: S105 - the name of a secret, not a secret

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.username, self.password)


class BearerAuth(Spec):
    """``Authorization: Bearer <token>``."""

    type: Literal["bearer"]
    token: SecretName = "token"  # noqa: S105 - the name of a secret, not a secret

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.token,)


Auth = Annotated[Union[ApiKeyAuth, BasicAuth, BearerAuth], Field(discriminator="type")]
