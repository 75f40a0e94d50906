"""Authentication by a token that the API issues: OAuth 2 grants, and custom login requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import Self

from crm_assets.declarations.json_path import JsonPath
from crm_assets.declarations.models.base import Spec, fill, placeholders
from crm_assets.declarations.models.simple_auth import HANDED_OUT, AuthSpec, SecretName, SecretNameOrNothing, Sent


def _without_credentials(url: str) -> str:
    if "@" in urlsplit(url).netloc:
        raise ValueError("an address must not contain a user or password; secrets go under auth")
    return url


TokenUrl = Annotated[str, AfterValidator(_without_credentials)]


class TokenAuth(AuthSpec):
    """What all token authentication has in common: where the token is found, and where it goes."""

    access_token_path: JsonPath = ("access_token",)
    """Where the token is in the answer."""
    expires_in_path: JsonPath = ("expires_in",)
    """Where the answer says for how many seconds the token is valid."""
    default_token_expiration: int = Field(default=3600, ge=1)
    """Seconds it is taken to be valid for where the answer does not say."""
    name: str = "Authorization"
    """Header or query parameter that carries the token."""
    location: Literal["header", "query"] = "header"
    value: str = f"Bearer {{{HANDED_OUT}}}"
    """Template of what is sent."""

    @property
    def login_url(self) -> str:
        """Address that issues tokens: a URL, or a path below ``base_url``."""
        raise NotImplementedError

    def at(self, login_url: str) -> Self:
        """Return the authentication with another address that issues tokens."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _value_holds_the_token(self) -> TokenAuth:
        if placeholders(self.value).count(HANDED_OUT) != 1:
            raise ValueError(f"value must contain {{{HANDED_OUT}}}, once, where the token goes")
        return self

    def sent(self, values: Mapping[str, str]) -> tuple[Sent, ...]:
        """Return the token in its place."""
        return (Sent(self.location, self.name, str(fill(self.value, {HANDED_OUT: values[HANDED_OUT]}))),)


class OAuth2Auth(TokenAuth):
    """What the grants of OAuth 2 (RFC 6749) have in common. The names of the keys are dlt's where it has them."""

    templates: ClassVar[tuple[str, ...]] = ("access_token_url", "access_token_request_data", "value")

    access_token_url: TokenUrl
    """Address that issues tokens: a URL, or a path below ``base_url``. A connection may override it."""
    client_id: SecretName = "client_id"
    client_secret: SecretNameOrNothing = Field(default="client_secret")
    """Empty for a public client."""
    access_token_request_data: dict[str, Any] = Field(default_factory=dict)
    """Further fields of the request for a token, such as ``scope``."""
    client_authentication: Literal["body", "basic"] = "body"
    """Where the client's id and secret go: into the body, or into a header for HTTP Basic."""
    request_format: Literal["form", "json"] = "form"
    """Encoding of the request's body."""

    @property
    def login_url(self) -> str:
        """Address that issues tokens."""
        return self.access_token_url

    def at(self, login_url: str) -> Self:
        """Return the authentication with another address that issues tokens."""
        return self.model_copy(update={"access_token_url": login_url})

    @property
    def secrets(self) -> tuple[str, ...]:
        """The client's id and secret."""
        return tuple(name for name in (self.client_id, self.client_secret) if name)

    @property
    def grant(self) -> dict[str, str]:
        """Fields of the request that make the grant: constant ones, and ``{secret}`` for a secret."""
        raise NotImplementedError


class ClientCredentialsAuth(OAuth2Auth):
    """The client's own account."""

    type: Literal["oauth2_client_credentials"]

    @property
    def grant(self) -> dict[str, str]:
        """Fields of the request that make the grant."""
        return {"grant_type": "client_credentials"}


class RefreshTokenAuth(OAuth2Auth):
    """A person's consent, given once. A new refresh token that comes with an access token is kept."""

    type: Literal["oauth2_refresh_token"]
    refresh_token: SecretName = Field(default="refresh_token")
    refresh_token_path: JsonPath = ("refresh_token",)
    """Where the answer has a new refresh token, if it hands one out."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The client's id and secret, and the refresh token."""
        return (*super().secrets, self.refresh_token)

    @property
    def grant(self) -> dict[str, str]:
        """Fields of the request that make the grant."""
        return {"grant_type": "refresh_token", "refresh_token": f"{{{self.refresh_token}}}"}


class PasswordAuth(OAuth2Auth):
    """A user's name and password."""

    type: Literal["oauth2_password"]
    username: SecretName = "username"
    password: SecretName = Field(default="password")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The client's id and secret, and the user's name and password."""
        return (*super().secrets, self.username, self.password)

    @property
    def grant(self) -> dict[str, str]:
        """Fields of the request that make the grant."""
        return {"grant_type": "password", "username": f"{{{self.username}}}", "password": f"{{{self.password}}}"}


class LoginRequest(Spec):
    """A request that logs in. Placeholders are secrets and parameters of the connection."""

    url: TokenUrl
    """A URL, or a path below ``base_url``."""
    method: Literal["POST", "GET"] = "POST"
    params: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    json_body: dict[str, Any] | None = Field(default=None, alias="json")
    form: dict[str, Any] | None = None


class SessionTokenAuth(TokenAuth):
    """A custom login that issues a token."""

    templates: ClassVar[tuple[str, ...]] = ("value",)

    type: Literal["session_token"]
    login: LoginRequest
    login_secrets: tuple[SecretName, ...] = Field(default=("username", "password"), min_length=1)
    """Names of the secrets among the placeholders of ``login``."""
    access_token_header: str | None = None
    """Header of the answer that holds the token, in place of ``access_token_path``."""

    @property
    def login_url(self) -> str:
        """Address that issues tokens."""
        return self.login.url

    def at(self, login_url: str) -> Self:
        """Return the authentication with another address that issues tokens."""
        return self.model_copy(update={"login": self.login.model_copy(update={"url": login_url})})

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the login needs."""
        return self.login_secrets

    def template_values(self) -> dict[str, object]:
        """Return the values of the keys that may hold placeholders."""
        return {**super().template_values(), "login": self.login.model_dump(by_alias=True)}

    def filled(self, values: Mapping[str, object]) -> Self:
        """Return the authentication with the connection's parameters put in."""
        login = {key: fill(value, values) for key, value in self.login.model_dump(by_alias=True).items()}
        return super().filled(values).model_copy(update={"login": LoginRequest.model_validate(login)})

    @model_validator(mode="after")
    def _login_holds_the_secrets(self) -> SessionTokenAuth:
        held = placeholders(self.login.model_dump(by_alias=True))
        missing = [name for name in self.login_secrets if name not in held]
        if missing:
            raise ValueError(f"login must contain {{{missing[0]}}}, or login_secrets leave it out")
        return self
