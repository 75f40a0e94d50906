"""The body of an answer: rows of a page as records, in the shape the declaration expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crm_assets.declarations import Connection, Resource
from crm_assets.declarations.models.paginator import JsonLink
from crm_assets.sandbox.faults import Met
from crm_assets.sandbox.paging import Asked, envelope
from crm_assets.sandbox.selection import Selection
from crm_assets.sandbox.spoiling import elsewhere, spoil_body
from crm_assets.sandbox.spoilt_records import shift, spoil_records
from crm_assets.sandbox.wire import Recorder, enveloped, listed_at, split_companions


@dataclass(frozen=True)
class Reply:
    """What is needed to answer one request for a page."""

    connection: Connection
    resource: Resource
    selection: Selection
    asked: Asked
    key: str | None
    """Column that counts the rows."""
    met: Met

    def body(self, start: int, size: int) -> Any:
        """Return the body of the page that begins at row ``start`` and has ``size`` rows."""
        endpoint = self.resource.endpoint
        recorder = Recorder(self.resource, self.connection.zone)
        records = [recorder.record(row) for row in self._rows(start, size)]
        companions = split_companions(endpoint.include, records) if endpoint.include else []
        records = spoil_records(self.met, self.resource, self.key, records)
        wrapped: Any = [recorder.wrapped(record) for record in records]
        if "list_keyed" in self.met:
            wrapped = {str(number): record for number, record in enumerate(wrapped, start + 1)}
        body = enveloped(listed_at(endpoint.data_selector, wrapped), self._envelope(start, size))
        body = enveloped(body, {endpoint.include.path: companions}) if endpoint.include else body
        return spoil_body(self.met, endpoint.data_selector, body)

    def _rows(self, start: int, size: int) -> list[dict[str, Any]]:
        first, last = start + shift(self.met), start + shift(self.met) + size
        window = self.resource.window
        if window and window.max_rows is not None:
            # An API with a greatest depth serves nothing behind it, without a word.
            last = min(last, window.max_rows)
        first -= "duplicates" in self.met
        rows: list[dict[str, Any]] = self.selection[max(first, 0) : max(last, 0)]
        return rows

    def _envelope(self, start: int, size: int) -> dict[tuple[str, ...], Any]:
        paginator = self.resource.endpoint.paginator
        found = envelope(paginator, self.asked, self.selection, self.key, start, size, shift(self.met))
        fault = self.met.get("foreign_link")
        if fault and isinstance(paginator, JsonLink):
            return {path: elsewhere(str(link), fault) for path, link in found.items()}
        return found
