"""Start, ask and stop the page server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen


@dataclass(frozen=True)
class Server:
    """A running page server."""

    url: str

    def set(self, **options: float) -> None:
        """Change options (see :class:`pages.Options`) and set the counters back."""
        self._get(f"/__set?{urlencode(options)}")

    def stats(self) -> dict[str, Any]:
        """Return the counters since the last :meth:`set`."""
        return dict(self._get("/__stats"))

    def _get(self, target: str) -> Any:
        with urlopen(self.url + target, timeout=10) as answer:
            return json.load(answer)


@contextmanager
def page_server() -> Iterator[Server]:
    """Run a page server in a process of its own on a free port; it ends with the block."""
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("pages.py")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("the page server did not start; run `python benchmarks/pages.py` to see why")
        yield Server(url)
    finally:
        process.terminate()
        process.wait()
