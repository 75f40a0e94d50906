"""The webhook: problems as one message that Slack and what imitates it understand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import groupby
from urllib.parse import urlsplit

from crm_assets.declarations.models.connection import LOOPBACK
from crm_assets.errors import CrmAssetsError
from crm_assets.orchestration.automation.problems import Problem

SECRET = "alerts.webhook_url"  # noqa: S105 - the name of the secret, not the secret
_WEBHOOK_TIMEOUT = 20
_LINES, _LENGTH = 10, 600


class WebhookError(CrmAssetsError):
    """A message was not delivered. The sentence says why; it never holds the address, which is a secret."""


def message_of(problems: Iterable[Problem]) -> dict[str, str]:
    """Return the JSON of one message: by connection, a line for each run or table with all that is wrong with it."""
    ordered = sorted(problems, key=lambda problem: (problem.group, problem.subject, problem.key))
    groups = {group: _lines(members) for group, members in groupby(ordered, key=lambda problem: problem.group)}
    count = sum(map(len, groups.values()))
    text = [f":warning: crm_assets: {count} new problem{'s' if count > 1 else ''}"]
    for group, lines in groups.items():
        text += ["", f"*{_escaped(group)}*", *lines[:_LINES]]
        text += [f"• and {len(lines) - _LINES} more"] if len(lines) > _LINES else []
    return {"text": "\n".join(text)}


def _lines(problems: Iterable[Problem]) -> list[str]:
    return [
        "• " + _escaped(f"{subject}: {'; '.join(member.clause for member in members)}.")
        for subject, members in groupby(problems, key=lambda problem: problem.subject)
    ]


def post(url: str, message: dict[str, str]) -> None:
    """Deliver a message.

    Raises:
        WebhookError: It was not accepted.
    """
    try:
        parts = urlsplit(url)
        local = (parts.hostname or "") in LOOPBACK
    except ValueError:
        raise WebhookError(f"{SECRET} is not a valid URL") from None
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise WebhookError(f"{SECRET} must begin with https:// and name a host")
    import aiohttp

    try:
        status = asyncio.run(_post(url, message))
    except (aiohttp.ClientError, asyncio.TimeoutError) as error:
        raise WebhookError(f"the webhook did not answer ({type(error).__name__})") from None
    if not 200 <= status < 300:
        raise WebhookError(f"the webhook answered {status}; check {SECRET}")


async def _post(url: str, message: dict[str, str]) -> int:
    import aiohttp

    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_WEBHOOK_TIMEOUT)) as session,
        session.post(url, json=message, allow_redirects=False) as response,
    ):
        return response.status


def _escaped(text: str) -> str:
    """Return the text as Slack wants it: its three control characters escaped, in one line of bounded length."""
    line = " ".join(text.split())
    line = line if len(line) <= _LENGTH else line[: _LENGTH - 1] + "…"
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
