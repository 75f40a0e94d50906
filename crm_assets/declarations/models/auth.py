"""Authentication: one kind of it, or several on every request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from crm_assets.declarations.models.simple_auth import (
    HANDED_OUT,
    ApiKeyAuth,
    AuthSpec,
    BasicAuth,
    BearerAuth,
    NoAuth,
    Sent,
)
from crm_assets.declarations.models.token_auth import (
    ClientCredentialsAuth,
    PasswordAuth,
    RefreshTokenAuth,
    SessionTokenAuth,
    TokenAuth,
)

SingleAuth: TypeAlias = Annotated[
    NoAuth
    | ApiKeyAuth
    | BasicAuth
    | BearerAuth
    | ClientCredentialsAuth
    | RefreshTokenAuth
    | PasswordAuth
    | SessionTokenAuth,
    Field(discriminator="type"),
]


class CombinedAuth(AuthSpec):
    """Several credentials on every request."""

    type: Literal["combined"]
    parts: tuple[SingleAuth, ...] = Field(min_length=2)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets of all parts."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.secrets))

    def params(self) -> dict[str, str]:
        """Return the names of the connection's parameters its parts need, with the keys that hold them."""
        return {name: key for part in self.parts for name, key in part.params().items()}

    def filled(self, values: Mapping[str, object]) -> CombinedAuth:
        """Return the authentication with the connection's parameters put in."""
        return self.model_copy(update={"parts": tuple(part.filled(values) for part in self.parts)})

    def sent(self, values: Mapping[str, str]) -> tuple[Sent, ...]:
        """Return what all parts put on a request."""
        return tuple(sent for part in self.parts for sent in part.sent(values))

    @model_validator(mode="after")
    def _places_differ(self) -> CombinedAuth:
        tokens = [part for part in self.parts if isinstance(part, TokenAuth)]
        if len(tokens) > 1:
            raise ValueError("only one part may return a token")
        values = dict.fromkeys((*self.secrets, HANDED_OUT), "")
        places = [(sent.location, sent.name.lower()) for part in self.parts for sent in part.sent(values)]
        twice = next((name for place in places for name in place[1:] if places.count(place) > 1), None)
        if twice:
            raise ValueError(f"two parts are sent as {twice}; set the name of one of them")
        return self


def _as_combined(value: Any) -> Any:
    return {"type": "combined", "parts": value} if isinstance(value, list) else value


Auth: TypeAlias = Annotated[
    Annotated[
        NoAuth
        | ApiKeyAuth
        | BasicAuth
        | BearerAuth
        | ClientCredentialsAuth
        | RefreshTokenAuth
        | PasswordAuth
        | SessionTokenAuth
        | CombinedAuth,
        Field(discriminator="type"),
    ],
    BeforeValidator(_as_combined),
]
"""One kind of authentication, or a list of those that all go on each request."""


def with_login_at(auth: Auth, move: Callable[[str], str]) -> Auth:
    """Return the authentication with another address for its token, if it has one."""
    if isinstance(auth, CombinedAuth):
        return auth.model_copy(update={"parts": tuple(with_login_at(part, move) for part in auth.parts)})
    return auth.at(move(auth.login_url)) if isinstance(auth, TokenAuth) else auth


def token_auth(auth: AuthSpec) -> TokenAuth | None:
    """Return the part of an authentication that issues a token, if one does."""
    parts = auth.parts if isinstance(auth, CombinedAuth) else (auth,)
    return next((part for part in parts if isinstance(part, TokenAuth)), None)
