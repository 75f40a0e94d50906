"""A server that tells everything it heard to everybody, in every way a server can fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from crm_assets_tests.loopback import Answer, Asked, loopback

WAYS = ("fine", "forbidden", "missing", "broken", "html", "text", "truncated", "elsewhere", "linked", "cut")
"""Paths, and what becomes of a request for them."""


@dataclass
class Curious:
    """The running server."""

    url: str = ""
    elsewhere: str = ""
    """Where redirects and links lead."""
    heard: list[str] = field(default_factory=list)


@contextmanager
def curious() -> Iterator[Curious]:
    """Serve on loopback."""
    server = Curious()

    def reply(asked: Asked) -> Answer:
        echo = f"{asked.target} {asked.headers}"
        server.heard.append(echo)
        way = asked.target.strip("/").partition("?")[0]
        status = {"forbidden": 403, "missing": 404, "broken": 500, "elsewhere": 302}.get(way, 200)
        page: dict[str, object] = {"data": [{"id": "1"}], "error": f"who sent {echo}?"}
        if way == "linked":
            page["next"] = f"{server.elsewhere}/linked?page=2"
        body = json.dumps(page if status == 200 else {"error": f"who sent {echo}?"})
        body = {"html": f"<html>{echo}</html>", "text": echo, "truncated": body[:-9]}.get(way, body)
        headers = {"Content-Type": "text/html" if way == "html" else "application/json", "Connection": "close"}
        headers["Content-Length"] = str(len(body) + 5 * (way == "cut"))
        if way == "elsewhere":
            headers["Location"] = f"{server.elsewhere}{asked.target}"
        return Answer(body.encode(), status, headers)

    with loopback(reply) as server.url:
        yield server
