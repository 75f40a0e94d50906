"""Refusals: what the sandbox answers to a request it cannot serve."""

from __future__ import annotations

from collections.abc import Mapping

from crm_assets.errors import CrmAssetsError


class RefusedError(CrmAssetsError):
    """A request that is answered with an error.

    Args:
        status: HTTP status.
        message: What is wrong with the request, as a sentence.
        headers: Further response headers.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
