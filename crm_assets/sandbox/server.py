"""Run a sandbox as an HTTP server on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn

from crm_assets.sandbox.service import Sandbox

_LOOPBACK_HOST = "127.0.0.1"
_IDLE = 75
"""Seconds until an idle connection is closed, as nginx does; uvicorn's 5 end some in the moment they are used again."""
_SHUTDOWN_SECONDS = 1
"""Seconds that answers under way get when the server stops."""


@contextmanager
def serve(sandbox: Sandbox, port: int = 0) -> Iterator[str]:
    """Serve a sandbox from a background thread for as long as the context lasts; yields its base URL.

    Args:
        sandbox: What to serve.
        port: Where to listen on 127.0.0.1; 0 takes a free port.

    Raises:
        OSError: The port is taken.
    """
    server = uvicorn.Server(
        uvicorn.Config(
            sandbox.app,
            log_level="critical",
            lifespan="off",
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            timeout_keep_alive=_IDLE,
        )
    )
    with socket.create_server((_LOOPBACK_HOST, port), backlog=512) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
        thread.start()
        try:
            # The socket already listens: requests wait in its backlog until the server takes them.
            yield f"http://{_LOOPBACK_HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_SHUTDOWN_SECONDS + 5)


def run_forever(sandbox: Sandbox, port: int) -> None:
    """Serve a sandbox on a port of 127.0.0.1 until Ctrl-C, then return; SIGTERM ends the process.

    Raises:
        OSError: The port is taken.
    """
    with suppress(KeyboardInterrupt), serve(sandbox, port):
        threading.Event().wait()
