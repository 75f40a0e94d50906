"""Questions to an API whose answers are looked at as a whole: the same client, credentials and rate limit as a read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from crm_assets.declarations.json_path import Segments, dig
from crm_assets.declarations.models.endpoint import ErrorHandler
from crm_assets.extract.errors import ReadError, UnexpectedResponseError
from crm_assets.extract.http.client import ApiClient, Traffic
from crm_assets.extract.http.request import Request
from crm_assets.extract.paging.body_formats import with_json_body

_HANDLER = ErrorHandler(retry_on_status_codes=(429,), max_retries=2)


@dataclass(frozen=True)
class DecodedAnswer:
    """An answer."""

    body: Any
    headers: Mapping[str, str] = field(repr=False)

    def records(self, selector: Segments) -> list[Any]:
        """Return the records at a path; one object is one record."""
        value = dig(self.body, selector)
        return value if isinstance(value, list) else [value] if isinstance(value, dict) and value else []


@dataclass
class Asker:
    """Asks one API.

    Args:
        client: Sends the requests.
        patience: Seconds to wait for an answer.
    """

    client: ApiClient
    patience: float
    traffic: Traffic = field(default_factory=Traffic)

    async def ask(self, request: Request) -> DecodedAnswer:
        """Return the answer.

        Raises:
            ReadError: None came, or it is not valid JSON.
        """
        try:
            answer = await asyncio.wait_for(self.client.send(request, _HANDLER, self.traffic), self.patience)
            body = with_json_body(answer, None).body
            return DecodedAnswer(msgspec.json.decode(body) if body.strip() else None, answer.headers)
        except asyncio.TimeoutError:
            raise ReadError(f"no answer came within {self.patience:g} s") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnexpectedResponseError(f"the answer is not valid JSON ({error})", status=200) from error

    async def tried(self, request: Request) -> DecodedAnswer | None:
        """Return the answer, or ``None`` where the request is refused, as one with an unknown parameter may be."""
        try:
            return await self.ask(request)
        except ReadError as error:
            if error.status in (None, 401, 403, 429):
                raise
            return None
