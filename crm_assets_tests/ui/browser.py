"""A real browser without a window: what a page shows once its scripts have run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1600,1200",
    "--virtual-time-budget=20000",
    "--dump-dom",
)
_SECONDS = 40
"""What one page may take on a machine that is busy with other tests."""


@dataclass
class Page:
    """What a page shows.

    Args:
        lines: Its texts, in order, without scripts and styles.
        edges: How many arrows its graph has.
    """

    lines: list[str] = field(default_factory=list)
    edges: int = 0

    @property
    def text(self) -> str:
        """All of it as one line."""
        return " ".join(" ".join(self.lines).split())

    def after(self, line: str) -> list[str]:
        """Return the texts that follow a text."""
        return self.lines[self.lines.index(line) + 1 :]


def program() -> str:
    """Return the path of an installed browser.

    Raises:
        AssertionError: There is none; a skipped test would prove nothing.
    """
    found = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    assert found, (
        "This test looks at the UI with a real browser and finds none; install Chromium (apt install chromium)."
    )
    return found


def look_at(url: str, until: str) -> Page:
    """Open a page as often as it takes to show a text that is there when all of it is; return what it shows.

    Raises:
        AssertionError: The text did not appear in time.
    """
    deadline = time.monotonic() + _SECONDS
    while True:
        page = _opened(url, deadline - time.monotonic())
        if until in page.text:
            return page
        assert time.monotonic() < deadline, f"{url} does not show {until!r} but: {page.text}"


def _opened(url: str, seconds: float) -> Page:
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as home:
        done = subprocess.run(
            [program(), *_FLAGS, f"--user-data-dir={home}", url],
            env={"HOME": home, "PATH": "/usr/bin:/bin", "TZ": "UTC", "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=max(seconds, 5),
            check=True,
        )
    reader = _Reader()
    reader.feed(done.stdout)
    return reader.page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")
        self.page.edges += tag == "path" and "lineage-edge" in (dict(attrs).get("stroke") or "")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._hidden:
            self.page.lines.append(" ".join(data.split()))
