"""A loopback server of lists that move while they are read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from crm_assets.extract.http.request import Request
from crm_assets_tests.extract.moving_list import WAYS, MovingList
from crm_assets_tests.loopback import Answer, Asked, loopback


class LivingServer:
    """The running server; it answers for one list at a time."""

    def __init__(self) -> None:
        self.url = ""
        """Its address."""
        self.list = MovingList("empty", 0)
        self.lock = threading.Lock()

    def reply(self, asked: Asked) -> Answer:
        """Return the answer to a request."""
        with self.lock:
            return Answer(self.list.serve(Request("GET", asked.target, asked.query)))


@contextmanager
def living_server() -> Iterator[LivingServer]:
    """Run a server for the time of a block."""
    server = LivingServer()
    with loopback(server.reply) as server.url:
        yield server


def living_system(size: int) -> dict[str, Any]:
    """Return the declaration of one resource for each way to page.

    Args:
        size: Records of a page.
    """
    columns = {"id": {"type": "bigint", "nullable": False}}
    resources = [
        {
            "name": way,
            "primary_key": "id",
            "columns": columns,
            "endpoint": {
                "path": "/things",
                "data_selector": "data",
                "paginator": {**paginator, "limit_param": "size", "limit": size},
            },
        }
        for way, paginator in WAYS.items()
    ]
    return {
        "title": "Living lists",
        "client": {"base_url": "https://living.example", "auth": {"type": "bearer"}},
        "resources": resources,
    }
