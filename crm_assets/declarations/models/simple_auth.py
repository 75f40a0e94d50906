"""Authentication: how a request proves who asks. Secrets are named here, never held."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BeforeValidator, Field, model_validator
from typing_extensions import Self

from crm_assets.declarations.models.base import Spec, fill, placeholders

_SECRET_REFERENCE = re.compile(r"""dlt\.secrets\[\s*["']([A-Za-z0-9_.]+)["']\s*\]""")
_WORDS = re.compile(r"[a-z]+\d?(_[a-z]+\d?)*")


def _secret_name(value: Any) -> str:
    found = _SECRET_REFERENCE.fullmatch(value.strip()) if isinstance(value, str) else None
    name = found[1].rsplit(".", 1)[-1] if found else value
    if not isinstance(name, str) or len(name) > 40 or not _WORDS.fullmatch(name):
        raise ValueError(
            'expected the name of a secret, such as dlt.secrets["api_key"]; a declaration must not contain a secret'
        )
    return name


def _name_or_nothing(value: Any) -> str:
    return "" if value == "" else _secret_name(value)


SecretName = Annotated[str, BeforeValidator(_secret_name)]
SecretNameOrNothing = Annotated[str, BeforeValidator(_name_or_nothing)]
"""The name of a secret, or an empty text where the API wants nothing there."""


HANDED_OUT = "access_token"
"""Placeholder of an issued token."""


class Sent(NamedTuple):
    """A credential as it is put on a request."""

    location: Literal["header", "query"]
    name: str
    value: str


class AuthSpec(Spec):
    """What all kinds of authentication have in common."""

    templates: ClassVar[tuple[str, ...]] = ()
    """Keys whose values may hold placeholders of the connection's parameters."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets it needs."""
        return ()

    def params(self) -> dict[str, str]:
        """Return the names of the connection's parameters it needs, with the keys that hold them."""
        held = {name: key for key, value in self.template_values().items() for name in placeholders(value)}
        return {name: key for name, key in held.items() if name not in (*self.secrets, HANDED_OUT)}

    def template_values(self) -> dict[str, object]:
        """Return the values of the keys that may hold placeholders."""
        return {key: getattr(self, key) for key in self.templates}

    def filled(self, values: Mapping[str, object]) -> Self:
        """Return the authentication with the connection's parameters put in."""
        return self.model_copy(update={key: fill(getattr(self, key), values) for key in self.templates})

    def sent(self, values: Mapping[str, str]) -> tuple[Sent, ...]:  # noqa: ARG002
        """Return what is put on a request.

        Args:
            values: The secrets by name, and the ``access_token`` if one is issued.
        """
        return ()


class NoAuth(AuthSpec):
    """A public API."""

    type: Literal["none"]


class ApiKeyAuth(AuthSpec):
    """A key in a header or in the query."""

    templates: ClassVar[tuple[str, ...]] = ("value",)

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
            raise ValueError(f"value must contain {{{self.api_key}}}, once, where the secret goes")
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key."""
        return (self.api_key,)

    def sent(self, values: Mapping[str, str]) -> tuple[Sent, ...]:
        """Return the key in its place."""
        value = values[self.api_key] if self.value is None else str(fill(self.value, dict(values)))
        return (Sent(self.location, self.name, value),)


class BasicAuth(AuthSpec):
    """HTTP Basic; the dialect's ``basic`` is dlt's ``http_basic``."""

    type: Literal["basic", "http_basic"]
    username: SecretNameOrNothing = "username"
    password: SecretNameOrNothing = Field(default="password")

    @property
    def secrets(self) -> tuple[str, ...]:
        """User name and password, as far as they are not empty."""
        return tuple(name for name in (self.username, self.password) if name)

    def sent(self, values: Mapping[str, str]) -> tuple[Sent, ...]:
        """Return the pair in the header ``Authorization``."""
        header = basic_header(values.get(self.username, ""), values.get(self.password, ""))
        return (Sent("header", "Authorization", header),)


class BearerAuth(AuthSpec):
    """``Authorization: Bearer <token>``."""

    type: Literal["bearer"]
    token: SecretName = Field(default="token")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The token."""
        return (self.token,)

    def sent(self, values: Mapping[str, str]) -> tuple[Sent, ...]:
        """Return the token in the header ``Authorization``."""
        return (Sent("header", "Authorization", f"Bearer {values[self.token]}"),)


def basic_header(username: str, password: str) -> str:
    """Return the value of an ``Authorization`` header for HTTP Basic."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
