"""Requests: what they carry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request

from crm_assets.declarations.json_path import dig, parse_path


@dataclass(frozen=True)
class Call:
    """A request, read without knowing which list it asks for."""

    request: Request
    connection: str
    path: list[str]
    """Segments of the path below the connection's name."""
    query: Mapping[str, Any]
    """Query parameters; one given more than once is a list."""
    body: Any
    """Decoded JSON body, fields of a form, else its text, else ``None``."""

    @property
    def sent(self) -> dict[str, Any]:
        """Query and body, as templates of a declaration have them."""
        return {"params": self.query, "json": self.body if isinstance(self.body, dict) else {}}

    @classmethod
    async def read(cls, request: Request) -> Call:
        """Read a request."""
        # Decoded segment by segment: a value may contain an encoded slash.
        connection, *path = map(unquote, request.scope["raw_path"].decode("ascii").strip("/").split("/"))
        several = parse_qs(request.url.query, keep_blank_values=True)
        query = {name: values if len(values) > 1 else values[0] for name, values in several.items()}
        body: Any = (await request.body()).decode(errors="replace")
        try:
            body = json.loads(body or "null")
        except ValueError:
            if request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
                body = dict(parse_qsl(body, keep_blank_values=True))
        return cls(request, connection, path, query, body)

    def value(self, name: str, location: str = "query") -> Any:
        """Return a parameter from the query, or from its path in the JSON body."""
        return dig(self.body, parse_path(name)) if location == "json" else self.query.get(name)

    def count(self, name: str, location: str, least: int) -> int:
        """Return a parameter that must be a whole number of at least ``least``.

        Raises:
            HTTPException: It is missing or no such number (400).
        """
        value = self.value(name, location)
        text = str(value)
        if isinstance(value, bool) or not text.isdecimal() or int(text) < least:
            shown = "it is missing" if value is None else f"got {text[:40]!r}"
            raise HTTPException(400, f"{name} must be a whole number of at least {least}; {shown}.")
        return int(text)

    def link(self, name: str, value: object) -> str:
        """Return the address of the same request with another value of a parameter."""
        return str(self.request.url.include_query_params(**{name: value}))
