"""Serve a sandbox from a thread of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from crm_assets.sandbox import Sandbox
from crm_assets.sandbox.service import server_of

_STOP_SECONDS = 6


@contextmanager
def serve(sandbox: Sandbox, port: int = 0) -> Iterator[str]:
    """Serve a sandbox from a background thread for as long as the context lasts; yields its base URL.

    Args:
        sandbox: What to serve.
        port: Where to listen on 127.0.0.1; 0 takes a free port.

    Raises:
        OSError: The port is taken.
    """
    server = server_of(sandbox)
    with socket.create_server(("127.0.0.1", port), backlog=512) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
        thread.start()
        try:
            # The socket already listens: requests wait in its backlog until the server takes them.
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_STOP_SECONDS)
