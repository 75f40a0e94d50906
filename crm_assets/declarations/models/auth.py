"""Authentication: how a request proves who asks. Secrets are named here, never held."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from crm_assets.declarations.models.base import Spec, placeholders

_REFERENCE = re.compile(r"""dlt\.secrets\[\s*["']([A-Za-z0-9_.]+)["']\s*\]""")
_WORDS = re.compile(r"[a-z]+\d?(_[a-z]+\d?)*")


def _secret_name(value: Any) -> str:
    found = _REFERENCE.fullmatch(value.strip()) if isinstance(value, str) else None
    name = found[1].rsplit(".", 1)[-1] if found else value
    if not isinstance(name, str) or len(name) > 40 or not _WORDS.fullmatch(name):
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
    """Template of what is sent, such as ``Token token={api_token}``; without it the bare key. Further placeholders
    are parameters of the connection."""

    @model_validator(mode="after")
    def _value_holds_the_name(self) -> ApiKeyAuth:
        if self.value is not None and placeholders(self.value).count(self.api_key) != 1:
            raise ValueError(f"value must hold {{{self.api_key}}}, once, where the secret is to stand")
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets it needs."""
        return (self.api_key,)

    @property
    def params(self) -> tuple[str, ...]:
        """Names of the connection's parameters it needs."""
        return tuple(name for name in placeholders(self.value) if name != self.api_key)


class BasicAuth(Spec):
    """HTTP Basic; the dialect's ``basic`` is dlt's ``http_basic``."""

    type: Literal["basic", "http_basic"]
    username: SecretName = "username"
    password: SecretName = Field(default="password")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets it needs."""
        return (self.username, self.password)


class BearerAuth(Spec):
    """``Authorization: Bearer <token>``."""

    type: Literal["bearer"]
    token: SecretName = Field(default="token")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets it needs."""
        return (self.token,)


class NoAuth(Spec):
    """A public API."""

    type: Literal["none"]

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets it needs: none."""
        return ()


Auth: TypeAlias = Annotated[NoAuth | ApiKeyAuth | BasicAuth | BearerAuth, Field(discriminator="type")]
