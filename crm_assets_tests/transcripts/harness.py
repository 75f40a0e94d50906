"""Play a transcript: read its resource from a server that knows only its answers, and compare what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import yaml

from crm_assets.date_range import DateRange
from crm_assets.declarations import ColumnType, Connection, Resource, load_connections
from crm_assets.extract.fetch import ReadResult, fetch
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.read_report import ReadTask
from crm_assets_tests.transcripts.server import TranscriptServer
from crm_assets_tests.transcripts.transcript import Since, Transcript, Window

_QUICK = 0.05
"""Seconds before the first retry; their number stays as declared."""
_BOOKKEEPING = frozenset({"_read_id", "_deleted_at", "_first_seen_at", "_changed_at"})
"""Columns that tell of the read, not of the record."""


def play(transcript: Transcript, folder: Path) -> None:
    """Read the transcript's resource and check every request, every row and the proof.

    Args:
        transcript: The conversation and what must come of it.
        folder: An empty folder.
    """
    connection = _impatient(_connection(transcript, folder))
    task = _task(transcript, connection)
    prefix = urlsplit(connection.base_url).path.rstrip("/")
    spools = folder / "spools"
    spools.mkdir()
    with TranscriptServer(transcript.exchanges) as server:
        (reading,) = fetch(
            connection.at(server.url + prefix), [task], transcript.secrets, spools, RateLimiter(folder / "budget", None)
        )
    assert not server.complaints, "\n".join(server.complaints)
    _compare(transcript, reading, connection)
    assert not server.unasked(), f"never asked for: {server.unasked()}"


def _connection(transcript: Transcript, folder: Path) -> Connection:
    entry = {
        "name": transcript.system,
        "system": transcript.system,
        "params": transcript.params,
        **transcript.connection,
    }
    path = folder / "connections.yaml"
    path.write_text(yaml.safe_dump({"connections": [entry]}), encoding="utf-8")
    (connection,) = load_connections(path)
    return connection


def _impatient(connection: Connection) -> Connection:
    """Return the connection with short waits before retries and as many of them as declared."""

    def hasty(resource: Resource) -> Resource:
        handler = resource.endpoint.error_handler.model_copy(
            update={"backoff_factor": None, "backoff_constant": _QUICK}
        )
        return resource.model_copy(update={"endpoint": resource.endpoint.model_copy(update={"error_handler": handler})})

    resources = tuple(hasty(resource) for resource in connection.system.resources)
    return connection.model_copy(update={"system": connection.system.model_copy(update={"resources": resources})})


def _task(transcript: Transcript, connection: Connection) -> ReadTask:
    resource = connection.system.resource(transcript.resource)
    if isinstance(transcript.read, Window):
        start, end = (date.fromisoformat(day) for day in transcript.read.window)
        return ReadTask(resource, date_ranges=(DateRange(start, end),))
    if isinstance(transcript.read, Since):
        return ReadTask(resource, since=_instant(transcript.read.since))
    return ReadTask(resource)


def _compare(transcript: Transcript, reading: ReadResult, connection: Connection) -> None:
    report = reading.report
    for secret in transcript.secrets.values():
        assert secret not in report.reason
    if transcript.error_pieces:
        assert not report.complete
        assert reading.staged is None
        for piece in transcript.error_pieces:
            assert piece in report.reason
        return
    assert report.complete == transcript.complete, report.reason
    assert reading.staged is not None
    rows = [row for table in reading.staged.tables() for row in table.to_pylist()]
    resource = connection.system.resource(transcript.resource)
    assert _sorted(_found(row, resource) for row in rows) == _sorted(
        _expected(row, resource) for row in transcript.rows or []
    )
    assert report.rows == len(rows)
    rejects = reading.staged.rejected_path
    _match(transcript.rejected, pq.read_table(rejects)["reason"].to_pylist() if rejects.exists() else [])
    _match(transcript.skipped, report.skipped)
    assert {name: getattr(report, name) for name in transcript.proof} == transcript.proof


def _match(pieces: tuple[str, ...], texts: list[str]) -> None:
    """Compare pieces with texts one to one."""
    left = list(texts)
    for piece in pieces:
        found = next((text for text in left if piece in text), None)
        assert found is not None, f"nothing of {left} holds {piece!r}"
        left.remove(found)
    assert not left


def _sorted(rows: Any) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: sorted((name, repr(value)) for name, value in row.items()))


def _types(resource: Resource) -> dict[str, ColumnType]:
    declared = {name: column.type for name, column in resource.columns.items()}
    return {**declared, "_extra": ColumnType.JSON, "_misfits": ColumnType.JSON}


def _found(row: dict[str, Any], resource: Resource) -> dict[str, Any]:
    types = _types(resource)
    return {
        name: json.loads(value) if types[name] is ColumnType.JSON else value
        for name, value in row.items()
        if value is not None and name not in _BOOKKEEPING
    }


def _expected(row: dict[str, Any], resource: Resource) -> dict[str, Any]:
    types = _types(resource)
    readers: dict[ColumnType, Callable[[Any], Any]] = {
        ColumnType.DECIMAL: lambda value: Decimal(str(value)),
        ColumnType.DOUBLE: float,
        ColumnType.TIMESTAMP: _instant,
        ColumnType.DATE: date.fromisoformat,
    }
    return {
        name: readers.get(types[name], lambda value: value)(value) for name, value in row.items() if value is not None
    }


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
