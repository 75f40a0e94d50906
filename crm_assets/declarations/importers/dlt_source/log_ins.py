"""Log-ins of a configuration: which secrets they are made of, under the names of the pipeline."""

from __future__ import annotations

import re
from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.spellings.names import snake_case

REFERENCE = re.compile(r"""dlt\.(secrets|config)\[\s*["']([A-Za-z0-9_.-]+)["']\s*\]""")
"""A value that the configuration does not contain, as the text that names it."""
_SECRETS = {
    "bearer": ("token",),
    "api_key": ("api_key",),
    "http_basic": ("username", "password"),
    "basic": ("username", "password"),
    "oauth2_client_credentials": ("client_id", "client_secret"),
}


def own_name(text: str, otherwise: str = "api_key") -> str:
    """Return the name of a secret or parameter in the declaration for one of a pipeline."""
    name = re.sub(r"[^a-z0-9_]", "", snake_case(text.rsplit(".", 1)[-1].replace("-", "_")))
    name = re.sub(r"(?<=[a-z])(\d)(?=\d)", r"\1_n", name)
    return name if re.fullmatch(r"[a-z]+\d?(_[a-z]+\d?)*", name) and len(name) <= 40 else otherwise


def log_in(auth: Any, notes: Notes) -> Any:
    """Return a log-in with the names of its secrets in place of their values."""
    if not isinstance(auth, dict):
        return auth
    auth = _refreshed({"type": "bearer", **auth})
    if auth.get("type") == "oauth2_client_credentials" or "refresh_token" in auth:
        auth = _with_token_url(auth, notes)
    for key in (*_SECRETS.get(auth["type"], ("client_id", "client_secret")), "refresh_token"):
        value = auth.get(key)
        if value is None:
            auth.pop(key, None)  # dlt looks for it by this name
        elif isinstance(value, str) and not (value == "" and key in ("username", "password")):
            _name_secret(auth, key, value, notes)
    return auth


def _name_secret(auth: Document, key: str, value: str, notes: Notes) -> None:
    found, inside = REFERENCE.fullmatch(value.strip()), REFERENCE.search(value)
    if found:
        auth[key] = own_name(found[2]) if found[2] != "value" else key
    elif inside and auth.get("type") == "api_key":
        auth[key] = own_name(inside[2])
        auth["value"] = REFERENCE.sub(f"{{{auth[key]}}}", value)
    else:
        notes.add("assumed", f"the secret {key} is named so; the value in the configuration was not copied")
        auth[key] = key


def _refreshed(auth: Document) -> Document:
    """Return client credentials that ask with a refresh token, as is done with dlt's class, as what they are."""
    body = dict(auth.get("access_token_request_data") or {})
    if auth.get("type") != "oauth2_client_credentials" or body.get("grant_type") != "refresh_token":
        return auth
    del body["grant_type"]
    token = body.pop("refresh_token", "refresh_token")
    rest = {key: value for key, value in auth.items() if key != "access_token_request_data"}
    further = {"access_token_request_data": body} if body else {}
    return {**rest, **further, "type": "oauth2_refresh_token", "refresh_token": token}


def _with_token_url(auth: Document, notes: Notes) -> Document:
    if not REFERENCE.search(str(auth.get("access_token_url", ""))):
        return auth
    notes.add("assumed", "the source contains no address that hands out tokens; set token_url for each connection")
    return {**auth, "access_token_url": "https://api.example.com/token"}


def header_log_in(name: str, value: str, notes: Notes) -> Document:
    """Return a log-in for a header that is written out, without the secret in it."""
    found = REFERENCE.search(value)
    secret = own_name(found[2]) if found else "token"
    template = REFERENCE.sub(f"{{{secret}}}", value) if found else ""
    if not found:
        scheme = value.split(" ")[0] if " " in value else ""
        what = f"the header {name} holds a secret; it is called {secret}, and its value was not copied"
        notes.add("assumed", what)
        template = f"{scheme} {{{secret}}}".strip()
    return {"type": "api_key", "name": name, "api_key": secret, "value": template}
