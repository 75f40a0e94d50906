"""Run a sandbox as an HTTP server on this machine."""

from __future__ import annotations

import socket
from contextlib import suppress

import uvicorn

from crm_assets.sandbox.service import Sandbox

_IDLE = 75
"""Seconds until an idle connection is closed, as nginx does; uvicorn's 5 end some in the moment they are used again."""
_SHUTDOWN_SECONDS = 1
"""Seconds that answers under way get when the server stops."""


def server_of(sandbox: Sandbox) -> uvicorn.Server:
    """Return a server of a sandbox, to be run with a socket that listens."""
    config = uvicorn.Config(
        sandbox.app,
        log_level="critical",
        lifespan="off",
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        timeout_keep_alive=_IDLE,
    )
    return uvicorn.Server(config)


def run_forever(sandbox: Sandbox, port: int) -> None:
    """Serve a sandbox on a port of 127.0.0.1 until Ctrl-C, then return; SIGTERM ends the process.

    Raises:
        OSError: The port is taken.
    """
    with suppress(KeyboardInterrupt), socket.create_server(("127.0.0.1", port), backlog=512) as listener:
        server_of(sandbox).run(sockets=[listener])
