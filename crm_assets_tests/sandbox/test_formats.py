"""Lists in other formats than JSON, export jobs and lists without columns: the sandbox serves what the reader reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from crm_assets.extract.http.client import ApiClient
from crm_assets.sandbox import sandbox_secrets
from crm_assets_tests.dialect.rows import read
from crm_assets_tests.dialect.test_configurations import connect
from crm_assets_tests.faults import FaultySandbox, serve

COLUMNS = {
    "id": {"type": "bigint", "nullable": False},
    "name": {"type": "text", "pii": "name", "examples": ["Ada Stone", None]},
    "note": {"type": "text", "pii": "text"},
    "at": "timestamp",
    "day": {"type": "date"},
    "ok": "bool",
    "amount": "decimal",
}
OF_XML = {
    "id": {"type": "bigint", "nullable": False, "source": "@id"},
    "name": {"type": "text", "source": "person.name", "examples": ["Ada Stone"]},
    "role": {"type": "text", "source": "person.@role", "examples": ["owner", None]},
}
JOB = {
    "id_path": "job.id",
    "status_url": "/exports/{job_id}",
    "status_path": "job.state",
    "done": ["Completed"],
    "failed": ["failed"],
    "file_path": "job.files.0.url",
}


def listed(name: str, columns: dict[str, Any] | None = None, **endpoint: Any) -> dict[str, Any]:
    columns = COLUMNS if columns is None else columns
    key = {"primary_key": "id", "columns": columns} if columns else {}
    whole = {"path": f"/{name}", "data_selector": "$", "paginator": "single_page", **endpoint}
    return {"name": name, **key, "endpoint": whole}


DOCUMENT = {
    "client": {"base_url": "https://api.example.com", "auth": {"type": "bearer"}},
    "resources": [
        listed("commas", decoder="csv"),
        listed("semicolons", decoder={"type": "csv", "delimiter": ";", "encoding": "cp1252"}),
        listed("lines", decoder="jsonl"),
        listed("elements", OF_XML, decoder="xml", data_selector="export.people.person"),
        listed("exported", method="POST", json={"list": "all"}, export_job=JOB, decoder="csv"),
        listed("asked_by_form", method="POST", json={"list": "a&b"}, body_format="form"),
        listed("found", {}, data_selector="items"),
    ],
}


@pytest.fixture
def sandbox() -> FaultySandbox:
    return FaultySandbox([connect(DOCUMENT)], rows=40)


def test_every_format_is_read_to_exact_rows(
    sandbox: FaultySandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[str] = []

    async def pause(_: Any, _seconds: float, why: str, _traffic: Any) -> None:
        waited.append(why)

    monkeypatch.setattr(ApiClient, "pause", pause)
    connection = sandbox.connections["api"]
    with serve(sandbox) as url:
        readings = read(connection.at(f"{url}/api"), sandbox_secrets(connection), tmp_path)
    for name, reading in readings.items():
        assert reading.staged is not None, reading.report.reason
        truth = sandbox.rows("api", name)
        assert len(truth) > 5
        rows = [row for table in reading.staged.tables() for row in table.to_pylist()]
        assert [{column: row[column] for column in truth[0]} for row in sorted(rows, key=by_id)] == truth, name
        assert (reading.report.misfits, reading.report.unknown, reading.report.rejected) == ({}, {}, 0), name
    assert waited == ["the export job is 'pending'"]


def by_id(row: dict[str, Any]) -> int:
    return int(row["id"])


def test_a_job_is_shown_to_nobody_else(sandbox: FaultySandbox) -> None:
    token = {"Authorization": f"Bearer {sandbox_secrets(sandbox.connections['api'])['token']}"}
    with serve(sandbox) as url:
        made = requests.post(f"{url}/api/exported", json={"list": "all"}, headers=token, timeout=5)
        assert (made.status_code, made.json()["job"]["id"]) == (202, "export-1")
        assert requests.get(f"{url}/api/exports/export-2", headers=token, timeout=5).status_code == 404
        assert requests.get(f"{url}/api/exports/export-1", timeout=5).status_code == 401
