"""A real browser without a window, driven over its DevTools protocol: open, look, click, take a picture."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import aiohttp

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1600,1200",
    "--remote-debugging-port=0",
)
_SECONDS = 40
"""What one page may take on a machine that is busy with other tests."""
_GLANCE = 5
"""Seconds of one look at a page; a look ends with the page it looks at."""
_STILL = (
    "addEventListener('DOMContentLoaded', () => document.head.append(Object.assign(document.createElement('style'),\
{textContent: '*, ::before, ::after {animation: none !important; transition: none !important}'})))"
)
"""Nothing turns or fades: drawing it costs more than all else of a page."""
_GO = "history.pushState(null, '', {url}); dispatchEvent(new PopStateEvent('popstate', {{state: null}}))"
_BETWEEN = "/overview/resources", "Timeline"
"""A small page of the UI and its text: nothing of the page before is left when the next one is awaited."""
_SHOWN = """
new Promise(done => {{
  const texts = () => {{
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = []
    while (walker.nextNode())
      if (!walker.currentNode.parentElement.closest("script, style")) found.push(walker.currentNode.data)
    return found.join(" ").replace(/\\s+/g, " ")
  }}
  let dirty = true
  const look = () => {{
    const found = dirty && document.body && texts().includes({text})
    dirty = false
    if (found || performance.now() > end) {{ clearInterval(timer); watcher.disconnect(); done(Boolean(found)) }}
  }}
  const end = performance.now() + {milliseconds}, watcher = new MutationObserver(() => {{ dirty = true }})
  watcher.observe(document, {{subtree: true, childList: true, characterData: true}})
  const timer = setInterval(look, 100)
  look()
}})
"""
"""Wait for a text: as long as nothing changes, nothing is looked at."""
_CLICK = """
[...document.querySelectorAll("button, a, [role=button], [role=menuitem], [role=tab], label, input")]
  .filter(one => (one.innerText || "").replaceAll("\u200b", "").trim() === {text} && !one.disabled && one.offsetParent)
  .slice(-1).map(one => (one.click(), true)).length > 0
"""


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


class Browser:
    """One window of a browser; made by :func:`browser`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._loop, self._socket, self._numbers = loop, socket, itertools.count(1)
        self._origin = ""
        self._call("Page.enable")
        self._call("Page.addScriptToEvaluateOnNewDocument", source=_STILL)

    def look_at(self, url: str, until: str) -> Page:
        """Open a page and return what it shows once a text is there; the program of a site is loaded once.

        Raises:
            AssertionError: The text did not appear in time.
        """
        origin = "/".join(url.split("/")[:3])
        if origin != self._origin or not origin.startswith("http"):
            self._call("Page.navigate", url=url)
            self._origin = origin
            return self.see(until)
        for address, text in (_BETWEEN, (url, until)):
            self._evaluate(_GO.format(url=json.dumps(address)))
            self._wait_for(text)
        return self.see(until)

    def see(self, until: str, seconds: float = _SECONDS) -> Page:
        """Wait for a text on the page that is open, and return what the page shows.

        Raises:
            AssertionError: The text did not appear in time.
        """
        self._wait_for(until, seconds)
        return self._page()

    def _wait_for(self, text: str, seconds: float = _SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not self._evaluate(_SHOWN.format(text=json.dumps(text), milliseconds=_GLANCE * 1000)):
            assert time.monotonic() < deadline, f"the page does not show {text!r} but: {self._page().text}"

    def _page(self) -> Page:
        reader = _Reader()
        reader.feed(str(self._evaluate("document.documentElement.outerHTML")))
        return reader.page

    def click(self, text: str) -> None:
        """Click what is labelled so, as soon as it is there and enabled.

        Raises:
            AssertionError: It did not appear in time.
        """
        deadline = time.monotonic() + _SECONDS
        while not self._evaluate(_CLICK.format(text=json.dumps(text))):
            assert time.monotonic() < deadline, f"{text!r} cannot be clicked on: {self.see('').text}"
            time.sleep(0.2)

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        """Give the window a size.

        Args:
            width: In CSS pixels.
            height: In CSS pixels.
            scale: Pixels of a picture for one of those.
        """
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )

    def picture(self, path: Path) -> None:
        """Save what is open as a PNG."""
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def _evaluate(self, script: str) -> Any:
        """Return the value of a script; of a promise, what it comes to, and nothing if its page is left before."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return answer.get("result", {}).get("value")

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._loop.run_until_complete(asyncio.wait_for(self._ask(method, params), _SECONDS))

    async def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            answer = await self._socket.receive_json()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                found: dict[str, Any] = answer["result"]
                return found


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


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser that knows no host but this machine."""
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as home:
        process = subprocess.Popen(
            [program(), *_FLAGS, f"--user-data-dir={home}", "about:blank"],
            env={"HOME": home, "PATH": "/usr/bin:/bin", "TZ": "UTC", "LANG": "C.UTF-8"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        loop = asyncio.new_event_loop()
        try:
            session, socket = loop.run_until_complete(_connected(_port(Path(home) / "DevToolsActivePort")))
            try:
                yield Browser(loop, socket)
            finally:
                loop.run_until_complete(session.close())
        finally:
            loop.close()
            process.terminate()
            process.wait(10)


def _port(file: Path) -> str:
    """Return the port of the browser, which writes it into a file."""
    deadline = time.monotonic() + _SECONDS
    while not file.exists() or "\n" not in file.read_text():
        assert time.monotonic() < deadline, "the browser does not start"
        time.sleep(0.1)
    return file.read_text().splitlines()[0]


async def _connected(port: str) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse[Any]]:
    """Return a connection to the browser's first tab."""
    session = aiohttp.ClientSession()
    async with session.get(f"http://127.0.0.1:{port}/json") as response:
        tabs = [tab for tab in await response.json() if tab["type"] == "page"]
    return session, await session.ws_connect(tabs[0]["webSocketDebuggerUrl"], max_msg_size=0)


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
