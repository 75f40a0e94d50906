"""A loopback server that goes away in the midst of a read, and counts what it is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from crm_assets_tests.loopback import Answer, Asked, loopback

SYSTEM = """
title: Things
client: {base_url: "https://api.example.com", auth: {type: bearer}}
resource_defaults:
  primary_key: id
  endpoint:
    data_selector: data
    paginator: single_page
    error_handler: {max_retries: 0}
resources:
  - name: contacts
    endpoint:
      path: /contacts
      paginator: {type: page_number, end: total_records, total_records_path: total, limit_param: size, limit: 5}
    columns: &columns {id: {type: bigint, nullable: false}, note: text}
  - name: tickets
    endpoint:
      path: /tickets
      paginator: {type: offset, end: empty_page, limit_param: size, limit: 5}
    columns: *columns
  - name: teams
    endpoint: {path: /teams, paginator: {type: single_page, total_records_path: total}}
    columns: *columns
  - name: notes
    endpoint: {path: "/contacts/{contact_id}/notes"}
    columns: {id: {type: text, nullable: false}, contact_id: {type: bigint, source: "{contact_id}"}}
  - name: days
    endpoint: {path: /days}
    window: {field: seen_on, params: {from: "{window_start}", to: "{window_end}"}, per_partition: true}
    columns: {id: {type: text, nullable: false}, seen_on: date}
"""
"""A counted list with a total and one without, a list per parent, and a list per day."""


class AwayServer:
    """The server."""

    def __init__(self) -> None:
        self.url = ""
        """Its address."""
        self.rows: dict[str, list[dict[str, Any]]] = {
            name: [{"id": number, "note": "as it was"} for number in range(1, 61)]
            for name in ("contacts", "tickets", "teams")
        }
        self.asked: list[str] = []
        self.stays = float("inf")
        """How many more requests are answered; then it is away."""
        self.status = 503
        """What it answers while it is away."""
        self.claims = 0
        """How many more records it reports than there are."""
        self.seconds = 0.0
        """How long each answer takes."""
        self._lock = threading.Lock()

    def reply(self, asked: Asked) -> Answer:
        """Return the answer to a request."""
        time.sleep(self.seconds)
        with self._lock:
            self.asked.append(asked.target)
            self.stays -= 1
            if self.stays < 0:
                return Answer({}, self.status)
            return Answer(self._body(asked.path.strip("/").split("/"), asked.query))

    def _body(self, path: list[str], query: dict[str, str]) -> Any:
        match path:
            case [_, parent, "notes"]:
                return {"data": [{"id": f"{parent}-1"}, {"id": f"{parent}-2"}]}
            case ["days"]:
                return {"data": [{"id": query["from"], "seen_on": query["from"]}]}
            case [name]:
                rows, size = self.rows[name], int(query.get("size", 60))
                first = int(query["offset"]) if "offset" in query else (int(query.get("page", 1)) - 1) * size
                return {"data": rows[first : first + size], "total": len(rows) + self.claims}
            case _:
                raise ValueError(path)


@contextmanager
def away_server() -> Iterator[AwayServer]:
    """Run a server for the time of a block."""
    server = AwayServer()
    with loopback(server.reply) as server.url:
        yield server
