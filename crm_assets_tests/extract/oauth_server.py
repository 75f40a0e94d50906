"""An API behind OAuth 2 (RFC 6749) and behind a login of its own, on loopback, written without the product."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

CLIENT = ("cl1ent-id", "cl1ent-s3cret/+")
USER = ("ada", "pa55 w&rd")
REFRESH = "refresh-t0ken-0"
PAGE = 10


@dataclass
class OAuthServer:
    """What it grants, and what it was asked."""

    url: str = ""
    rows: int = 50
    seconds: float | str | None = 3600
    """``expires_in`` of a token; ``None`` says nothing."""
    uses: int | None = None
    """Requests after which a token is no longer valid, whatever was said."""
    rotates: bool = False
    """Whether each renewal hands out a new refresh token and makes the one before worthless."""
    interrupts: bool = False
    """Whether Ctrl-C comes between a token that was handed out and the answer with it."""
    revoked: bool = False
    """Whether consent was taken back."""
    forbidden: tuple[str, ...] = ()
    """Paths that answer 401 to everybody."""
    outages: int = 0
    """Requests for a token that are answered with 503 first."""
    token_requests: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """Paths of the API that were asked for, with the status of the answer."""
    refresh_tokens: list[str] = field(default_factory=lambda: [REFRESH])
    _tokens: dict[str, tuple[float, int]] = field(default_factory=dict)

    def hand_out(self) -> str:
        """Return a new token."""
        token = f"t0ken-{len(self._tokens)}-abcdefgh"
        seconds = float(self.seconds) if isinstance(self.seconds, (int, float)) and self.seconds > 0 else 3600.0
        self._tokens[token] = (time.time() + seconds, 0)
        return token

    def invalidate(self) -> None:
        """Make all tokens worthless."""
        self._tokens = dict.fromkeys(self._tokens, (0.0, 0))

    def accepts(self, token: str) -> bool:
        """Return whether a token is valid, and count its use."""
        ends, used = self._tokens.get(token, (0.0, 0))
        self._tokens[token] = (ends, used + 1)
        return time.time() < ends and (self.uses is None or used < self.uses)

    async def token(self, request: web.Request) -> web.Response:
        """Answer a request for a token."""
        text = await request.text()
        is_json = request.content_type == "application/json"
        asked: dict[str, Any] = json.loads(text) if is_json else dict(parse_qsl(text, keep_blank_values=True))
        header = request.headers.get("Authorization", "")
        if header.startswith("Basic "):
            client = tuple(base64.b64decode(header[6:]).decode().split(":", 1))
        else:
            client = (asked.get("client_id"), asked.get("client_secret"))
        self.token_requests.append({**asked, "_header": header, "_content_type": request.content_type})
        if self.outages:
            self.outages -= 1
            return web.json_response({"error": "temporarily_unavailable"}, status=503, headers={"Retry-After": "0"})
        if client != CLIENT:
            return _refused("invalid_client", f"no client {client}", 401)
        grant = asked.get("grant_type")
        if grant == "refresh_token":
            if self.revoked or asked.get("refresh_token") != self.refresh_tokens[-1]:
                return _refused("invalid_grant", f"token {asked.get('refresh_token')} was revoked", 400)
        elif grant == "password":
            if (asked.get("username"), asked.get("password")) != USER:
                return _refused("invalid_grant", "wrong password", 400)
        elif grant != "client_credentials":
            return _refused("unsupported_grant_type", str(grant), 400)
        answer: dict[str, Any] = {"access_token": self.hand_out(), "token_type": "Bearer"}
        if self.seconds is not None:
            answer["expires_in"] = self.seconds
        if grant == "refresh_token" and self.rotates:
            self.refresh_tokens.append(f"refresh-t0ken-{len(self.refresh_tokens)}")
            answer["refresh_token"] = self.refresh_tokens[-1]
        if self.interrupts:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.2)
        return web.json_response(answer)

    async def login(self, request: web.Request) -> web.Response:
        """Answer a login with name and password in JSON."""
        asked = await request.json()
        self.token_requests.append(asked)
        if (asked.get("user"), asked.get("secret")) != USER:
            return web.json_response({"message": f"{asked} is wrong"}, status=403)
        token = self.hand_out()
        return web.json_response({"data": {"session": {"key": token, "ttl": self.seconds}}}, headers={"X-Key": token})

    async def things(self, request: web.Request) -> web.Response:
        """Answer a page of ten rows to whoever has a valid token."""
        header = request.headers.get("Authorization", "") or request.headers.get("X-Session", "")
        token = header.rsplit(" ", 1)[-1]
        if not self.accepts(token) or request.path in self.forbidden:
            self.requests.append(f"{request.path_qs} 401")
            return web.json_response({"error": f"the token {token} is not valid"}, status=401)
        self.requests.append(f"{request.path_qs} 200")
        first = (int(request.query.get("page", 1)) - 1) * PAGE
        items = [{"id": number} for number in range(first, min(first + PAGE, self.rows))]
        return web.json_response({"items": items})


def _refused(error: str, description: str, status: int) -> web.Response:
    return web.json_response({"error": error, "error_description": description}, status=status)


async def _moved(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/oauth/token"})


async def _started(server: OAuthServer) -> web.AppRunner:
    app = web.Application()
    app.router.add_post("/oauth/token", server.token)
    app.router.add_post("/login", server.login)
    app.router.add_post("/moved/token", _moved)
    app.router.add_get("/api/{name}", server.things)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    return runner


@contextmanager
def oauth_server(**options: Any) -> Iterator[OAuthServer]:
    """Serve an API and its logins in a thread of its own until left."""
    server, loop = OAuthServer(**options), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(_started(server), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
