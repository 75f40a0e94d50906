"""The webhook: problems as one message that Slack and what imitates it understand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import groupby, islice
from urllib.parse import urlsplit

import aiohttp

from crm_assets.automation.problems import Problem

SECRET = "alerts.webhook_url"  # noqa: S105 - the name of the secret, not the secret
_TIMEOUT = aiohttp.ClientTimeout(total=20)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LINES, _LENGTH = 10, 400


class WebhookError(Exception):
    """A message was not delivered. The sentence says why; it never holds the address, which is a secret."""


def message_of(problems: Iterable[Problem]) -> dict[str, str]:
    """Return the JSON of one message: a headline, then the problems by connection, a bounded number of each."""
    ordered = sorted(problems, key=lambda one: (one.group, one.key))
    count = f"{len(ordered)} new problem{'s' if len(ordered) > 1 else ''}"
    lines = [f":warning: crm_assets: {count}"]
    for group, members in groupby(ordered, key=lambda one: one.group):
        sentences = [one.sentence for one in members]
        lines += ["", f"*{_escaped(group)}*", *(f"• {_escaped(sentence)}" for sentence in islice(sentences, _LINES))]
        lines += [f"• and {len(sentences) - _LINES} more"] if len(sentences) > _LINES else []
    return {"text": "\n".join(lines)}


def post(url: str, message: dict[str, str]) -> None:
    """Deliver a message.

    Raises:
        WebhookError: It was not accepted.
    """
    try:
        parts = urlsplit(url)
        local = (parts.hostname or "") in _LOOPBACK
    except ValueError:
        raise WebhookError(f"{SECRET} is no address") from None
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise WebhookError(f"{SECRET} has to begin with https:// and name a host")
    try:
        status = asyncio.run(_post(url, message))
    except (aiohttp.ClientError, asyncio.TimeoutError) as error:
        raise WebhookError(f"the webhook did not answer ({type(error).__name__})") from None
    if not 200 <= status < 300:
        raise WebhookError(f"the webhook answered {status}; check {SECRET}")


async def _post(url: str, message: dict[str, str]) -> int:
    async with (
        aiohttp.ClientSession(timeout=_TIMEOUT) as session,
        session.post(url, json=message, allow_redirects=False) as response,
    ):
        return response.status


def _escaped(text: str) -> str:
    """Return the text as Slack wants it: its three control characters escaped, in one line of bounded length."""
    line = " ".join(text.split())
    line = line if len(line) <= _LENGTH else line[: _LENGTH - 1] + "…"
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
