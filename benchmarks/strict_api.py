"""The sandbox's APIs for several machines: slow answers, and a strict limit for each account.

    python benchmarks/strict_api.py HOST PORT CONNECTIONS_FILE ROWS LAST_DAY
    GET /__stats                                what each account was asked since the last /__set, as JSON
    GET /__set?latency=0.5&requests=240&per=60  seconds an answer takes; most requests in any span of so many seconds

A request beyond the limit is refused with 429. The limit slides: it never resets at one moment.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse

sys.path.insert(0, str(Path(__file__).parents[1]))

from crm_assets.declarations.connections import load_connections
from crm_assets.sandbox import Sandbox
from crm_assets.sandbox.calls import Call


class Account:
    """What one account was asked."""

    def __init__(self) -> None:
        self.recent: deque[float] = deque()
        self.asked = self.refused = self.busiest = 0

    def takes(self, most: int, seconds: float) -> bool:
        """Count a request, and return whether it is within the limit."""
        now = time.monotonic()
        while self.recent and self.recent[0] <= now - seconds:
            self.recent.popleft()
        self.asked += 1
        if most and len(self.recent) >= most:
            self.refused += 1
            return False
        self.recent.append(now)
        self.busiest = max(self.busiest, len(self.recent))
        return True


class StrictApi:
    """The sandbox behind limits.

    Args:
        sandbox: Answers what is within the limit.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._set = {"latency": 0.0, "requests": 0.0, "per": 60.0}
        self._accounts: dict[str, Account] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as an ASGI application."""
        await (await self._answer(Request(scope, receive)))(scope, receive, send)

    async def _answer(self, request: Request) -> Any:
        name = request.url.path.split("/")[1]
        if name == "__set":
            self._set |= {key: float(value) for key, value in parse_qsl(request.url.query)}
            self._accounts.clear()
        if name.startswith("__"):
            return JSONResponse(
                {
                    name: {"asked": one.asked, "refused": one.refused, "busiest": one.busiest}
                    for name, one in self._accounts.items()
                }
            )
        within = self._accounts.setdefault(name, Account()).takes(int(self._set["requests"]), self._set["per"])
        await asyncio.sleep(self._set["latency"])
        if not within:
            return JSONResponse({"error": "too many requests"}, 429, {"Retry-After": "5"})
        return await self._sandbox.handle(await Call.read(request))


def main() -> None:
    """Serve until the process is ended."""
    host, port, file, rows, today = sys.argv[1:]
    sandbox = Sandbox(load_connections(Path(file)), rows=int(rows), today=date.fromisoformat(today))
    uvicorn.run(StrictApi(sandbox), host=host, port=int(port), log_level="critical", timeout_keep_alive=75)


if __name__ == "__main__":
    main()
