"""Names that a declaration cannot have as they are: parameters named like a secret, and long names of tables."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter, ValidationError

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.models.auth import Auth
from crm_assets.declarations.names import LONGEST_TABLE

_AUTH: TypeAdapter[Auth] = TypeAdapter(Auth)


def apart_from_secrets(document: Document, notes: Notes) -> Document:
    """Return a declaration none of whose parameters has the name of a secret.

    Args:
        document: The declaration.
        notes: Takes the names that were changed.
    """
    params = document.get("params") or {}
    endpoints = [each.get("endpoint") for each in document.get("resources") or () if isinstance(each, dict)]
    auths = [holder.get("auth") for holder in (document["client"], *endpoints) if isinstance(holder, dict)]
    shared = sorted({name for auth in auths if auth for name in _secrets(auth)} & {*params})
    for name in shared:
        notes.add("assumed", f"the parameter {name}, which is also the name of a secret, is called {name}_value")
        params = {f"{name}_value" if key == name else key: value for key, value in params.items()}
        document = {**_renamed(document, name), "params": params}
    return document


def short_table(name: str) -> str:
    """Return a name that a table can have; the digest of a long one keeps two of them apart."""
    if len(name) <= LONGEST_TABLE:
        return name
    return f"{name[: LONGEST_TABLE - 9].rstrip('_')}_{sha256(name.encode()).hexdigest()[:8]}"


def _secrets(auth: Any) -> tuple[str, ...]:
    try:
        return _AUTH.validate_python(auth).secrets
    except ValidationError:
        return ()


def _renamed(value: Any, name: str) -> Any:
    """Return templates with another name for a parameter; those of a log-in speak of the secret."""
    if isinstance(value, str):
        return re.sub(rf"\{{{name}\}}", f"{{{name}_value}}", value)
    if isinstance(value, dict):
        return {key: item if key == "auth" else _renamed(item, name) for key, item in value.items()}
    return [_renamed(item, name) for item in value] if isinstance(value, list) else value
