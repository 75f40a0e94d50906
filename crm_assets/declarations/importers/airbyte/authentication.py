"""Authenticators of a manifest."""

from __future__ import annotations

import re
from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.airbyte.expressions import NoCounterpartError
from crm_assets.declarations.importers.airbyte.settings import ManifestSettings, is_plain
from crm_assets.declarations.importers.losses import Notes

_PAIR = "{{ a name and a password }}"
"""Stands for the two of them, as HTTP Basic writes them."""


def airbyte_auth(given: Any, settings: ManifestSettings, notes: Notes) -> Document:
    """Return an authenticator as ``auth`` of a client.

    Raises:
        NoCounterpartError: It has no counterpart.
    """
    if not isinstance(given, dict):
        return {"type": "none"}
    match given.get("type"):
        case "NoAuth":
            return {"type": "none"}
        case "BearerAuthenticator":
            return _sent_token(given.get("api_token"), "Authorization", "header", "Bearer ", settings)
        case "ApiKeyAuthenticator":
            return _api_key(given, settings)
        case "BasicHttpAuthenticator":
            return _basic(given, settings, notes)
        case "OAuthAuthenticator":
            return _oauth(given, settings)
        case "SelectiveAuthenticator":
            return _selected(given, settings, notes)
        case "SessionTokenAuthenticator":
            return _session(given, settings, notes)
        case kind:
            return _by_code(given, kind, settings, notes)


def _by_code(given: Document, kind: str | None, settings: ManifestSettings, notes: Notes) -> Document:
    """Return what a log-in of the manifest's own code is made of: ways to log in, or a name and a password.

    Raises:
        NoCounterpartError: It is made of something else.
    """
    members = {key: value for key, value in given.items() if key not in ("type", "class_name", "$parameters")}
    ways = {key: value for key, value in members.items() if isinstance(value, dict) and value.get("type")}
    if ways:
        return _selected({"authenticators": ways}, settings, notes)
    if members.keys() == {"username", "password"}:
        notes.add("assumed", "the login is custom code with a name and a password: both are sent as HTTP Basic")
        return _basic(given, settings, notes)
    raise NoCounterpartError(f"the login {kind or 'by custom code'} has no counterpart")


def _api_key(given: Document, settings: ManifestSettings) -> Document:
    option = given.get("inject_into") or {}
    name = option.get("field_name") or given.get("header") or "Authorization"
    place = "query" if option.get("inject_into") == "request_parameter" else "header"
    if option.get("inject_into") in ("body_json", "body_data"):
        raise NoCounterpartError("a key in the body has no counterpart")
    return _sent_token(given.get("api_token"), settings.template(name), place, "", settings)


def _sent_token(token: Any, name: str, place: str, before: str, settings: ManifestSettings) -> Document:
    """Return a key or token, as a template where more than it is sent."""
    secret = settings.secret(token)
    around = re.sub(r"\{\{.*?\}\}", "{}", str(token).strip(), flags=re.DOTALL)
    if around == "{}" and before:
        return {"type": "bearer", "token": secret}
    value = before + around.replace("{}", f"{{{secret}}}")
    shown = {} if value == f"{{{secret}}}" else {"value": value}
    return {"type": "api_key", "name": name, "api_key": secret, "location": place, **shown}


def _basic(given: Document, settings: ManifestSettings, notes: Notes) -> Document:
    """Return user and password; text around a setting in the manifest is part of the secret."""
    found: Document = {"type": "basic"}
    for key in ("username", "password"):
        text = str(given.get(key) or "").strip()
        found[key] = (key if text else "") if is_plain(text) else settings.secret(text)
        if text and (is_plain(text) or not re.fullmatch(r"\{\{[^{}]*\}\}", text)):
            notes.add("assumed", f"the {key} is {text}: the secret {found[key]} has to be all of it")
    return found


def _oauth(given: Document, settings: ManifestSettings) -> Document:
    url = settings.template(given.get("token_refresh_endpoint") or "")
    auth: Document = {"access_token_url": url}
    for key in ("client_id", "client_secret"):
        if given.get(key):
            auth[key] = settings.secret(given[key])
    body = settings.template({**(given.get("refresh_request_body") or {})})
    if given.get("scopes"):
        body["scope"] = " ".join(settings.template(given["scopes"]))
    if body:
        auth["access_token_request_data"] = body
    if given.get("access_token_name", "access_token") != "access_token":
        auth["access_token_path"] = given["access_token_name"]
    if given.get("expires_in_name", "expires_in") != "expires_in":
        auth["expires_in_path"] = given["expires_in_name"]
    match given.get("grant_type", "refresh_token"):
        case "client_credentials":
            return {"type": "oauth2_client_credentials", **auth}
        case "refresh_token":
            return {
                "type": "oauth2_refresh_token",
                "refresh_token": settings.secret(given.get("refresh_token")),
                **auth,
            }
        case "password":
            given_body = given.get("refresh_request_body") or {}
            names = {key: settings.secret(given_body[key]) for key in ("username", "password") if body.pop(key, None)}
            for name in names.values():
                settings.params.pop(name, None)
            return {"type": "oauth2_password", **names, **auth}
        case grant:
            raise NoCounterpartError(f"the grant {grant} has no counterpart")


def _selected(given: Document, settings: ManifestSettings, notes: Notes) -> Document:
    """Return the first way to log in that has a counterpart; keys come before tokens that expire."""
    options = list((given.get("authenticators") or {}).items())
    options.sort(key=lambda option: option[1].get("type") in ("OAuthAuthenticator", None))
    for name, option in options:
        try:
            found = airbyte_auth(option, settings, notes)
        except NoCounterpartError:
            continue
        notes.add("assumed", f"of {len(options)} ways to log in {name} is taken")
        return found
    raise NoCounterpartError("none of its ways to log in has a counterpart")


def _login_parts(login: Document) -> Document:
    """Return what the request that logs in sends.

    Raises:
        NoCounterpartError: It proves who asks in a way that has no counterpart there.
    """
    body = login.get("request_body") or {}
    kinds = {"RequestBodyJsonObject": "json", "RequestBodyUrlEncodedForm": "form"}
    given = {
        "json": login.get("request_body_json"),
        "form": login.get("request_body_data"),
        "params": login.get("request_parameters"),
        "headers": login.get("request_headers"),
    }
    if kind := kinds.get(str(body.get("type"))):
        given[kind] = body.get("value")
    if texts := [name for name, value in given.items() if isinstance(value, str) and value.strip()]:
        raise NoCounterpartError(f"a login whose {texts[0]} are a template has no counterpart")
    found = {name: value for name, value in given.items() if isinstance(value, dict) and value}
    own = login.get("authenticator") or {}
    match own.get("type", "NoAuth"):
        case "NoAuth":
            return found
        case "BearerAuthenticator":
            header = {"Authorization": f"Bearer {own.get('api_token')}"}
        case "ApiKeyAuthenticator" if own.get("header"):
            header = {str(own["header"]): str(own.get("api_token"))}
        case "BasicHttpAuthenticator":
            header = {"Authorization": f"Basic {_PAIR}"}
        case kind:
            raise NoCounterpartError(f"a login that logs in by {kind} has no counterpart")
    return {**found, "headers": {**found.get("headers", {}), **header}}


def _session(given: Document, settings: ManifestSettings, notes: Notes) -> Document:
    login, secrets = given.get("login_requester") or {}, set[str]()

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(item) for key, item in value.items()}
        if is_plain(value):
            return value
        if _PAIR in str(value):
            what = "the secret login_credentials is user name and password of the login, as name:password in base64"
            notes.add("assumed", what)
            secrets.add("login_credentials")
            return str(value).replace(_PAIR, "{login_credentials}")
        return re.sub(r"\{\{.*?\}\}", secret, str(value), flags=re.DOTALL)

    def secret(found: re.Match[str]) -> str:
        secrets.add(name := settings.secret(found[0]))
        return f"{{{name}}}"

    base = str(settings.template(login.get("url_base") or login.get("url") or ""))
    request: Document = {"url": f"{base.rstrip('/')}/{str(login.get('path') or '').lstrip('/')}".rstrip("/")}
    request["method"] = login.get("http_method", "GET")
    for key, value in _login_parts(login).items():
        request[key] = filled(value)
    if not secrets:
        raise NoCounterpartError("a login without a secret has no counterpart")
    path = ".".join(given.get("session_token_path") or ())
    sent = given.get("request_authentication") or {"type": "Bearer"}
    auth: Document = {
        "type": "session_token",
        "login": request,
        "login_secrets": sorted(secrets),
        "access_token_path": path,
    }
    if sent.get("type") == "ApiKey":
        option = sent.get("inject_into") or {}
        place = "query" if option.get("inject_into") == "request_parameter" else "header"
        auth |= {"name": option.get("field_name", "Authorization"), "location": place, "value": "{access_token}"}
    return auth
