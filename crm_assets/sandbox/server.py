"""Run a sandbox as an HTTP server on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from crm_assets.sandbox.service import Sandbox

HOST = "127.0.0.1"
_PATIENCE = 1
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
    listener = _listener(port)
    server = _server(sandbox)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
    thread.start()
    try:
        # The socket already listens: requests wait in its backlog until the server takes them.
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(_PATIENCE + 5)
        listener.close()


def run_forever(sandbox: Sandbox, port: int = 0) -> None:
    """Serve a sandbox in this thread until Ctrl-C, then return; SIGTERM ends the process, without a traceback.

    Args:
        sandbox: What to serve.
        port: Where to listen on 127.0.0.1.

    Raises:
        OSError: The port is taken.
    """
    listener = _listener(port)
    try:
        _server(sandbox).run(sockets=[listener])
    except KeyboardInterrupt:
        return
    finally:
        listener.close()


def _listener(port: int) -> socket.socket:
    return socket.create_server((HOST, port), backlog=512)


def _server(sandbox: Sandbox) -> uvicorn.Server:
    config = uvicorn.Config(
        sandbox.app,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=_PATIENCE,
    )
    return uvicorn.Server(config)
