"""No secret anywhere but in the request, and no request with a secret to anywhere but home."""

from __future__ import annotations

import base64
import gzip
import io
import logging
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest
from dagster._core.debug import DebugRunPayload

from crm_assets.declarations.connections import load_connections
from crm_assets.orchestration import loading
from crm_assets.orchestration.report.collect import collect
from crm_assets.orchestration.report.render import render_report
from crm_assets_tests.conftest import Build, only
from crm_assets_tests.installation import Installation
from crm_assets_tests.reliability.conftest import own_house
from crm_assets_tests.reliability.echo_server import WAYS, Curious, curious

AUTHS = {
    "bearer": "{type: bearer}",
    "basic": "{type: basic}",
    "header": "{type: api_key, name: X-Api-Key}",
    "template": '{type: api_key, name: Authorization, value: "Token token={api_key}"}',
    "query": "{type: api_key, name: hapikey, location: query}",
}
SECRETS = {"token": "n33dle/tok+en=", "username": "n33dle@user", "password": "n33dle:pass", "api_key": "n33dle/key+1="}
SYSTEM = """
title: Curious
client: {{base_url: "https://api.example.com", auth: {auth}}}
resource_defaults:
  primary_key: id
  endpoint:
    data_selector: data
    paginator: {{type: json_link, next_url_path: next}}
    error_handler: {{max_retries: 1, backoff_constant: 0.01}}
resources:
"""


def needles() -> list[bytes]:
    """Return the secrets in all forms they are sent or may be written in."""
    pair = f"{SECRETS['username']}:{SECRETS['password']}"
    forms = [*SECRETS.values(), *(quote(value, safe="") for value in SECRETS.values())]
    forms += [base64.b64encode(text.encode()).decode() for text in (pair, *SECRETS.values())]
    return [form.encode() for form in [*forms, "n33dle"]]


def found(content: bytes) -> list[bytes]:
    """Return the secrets that stand in a content, compressed or not."""
    return [needle for needle in needles() if needle in content]


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield all files of a folder, unpacked."""
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            yield path, gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What all loggers say at the level DEBUG."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    names = ["", "dlt", "dagster", "aiohttp", "asyncio", "filelock", "urllib3"]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
        logging.getLogger(name).addHandler(handler)
    yield heard
    for name, level in levels.items():
        logging.getLogger(name).removeHandler(handler)
        logging.getLogger(name).setLevel(level)


def installation(auth: str, server: Curious, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Return an installation with one connection, one resource for each way to fail."""
    (tmp_path / "systems").mkdir()
    resources = "".join(
        f"  - {{name: {way}, endpoint: {{path: /{way}}}, columns: {{id: {{type: text, nullable: false}}}}}}\n"
        for way in WAYS
    )
    (tmp_path / "systems" / "curious.yaml").write_text(SYSTEM.format(auth=AUTHS[auth]) + resources)
    path = tmp_path / "connections.yaml"
    path.write_text(f"systems: systems\nconnections: [{{name: nosy, system: curious, base_url: '{server.url}'}}]")
    (connection,) = load_connections(path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(f"SOURCES__NOSY__{name}".upper(), value)
    return own_house(connection, tmp_path)


@pytest.mark.parametrize("auth", AUTHS)
def test_secrets_stand_nowhere(
    auth: str,
    stored_instance: dg.DagsterInstance,
    tmp_path: Path,
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with curious() as server, curious() as stranger:
        server.elsewhere = stranger.url
        house = installation(auth, server, tmp_path, monkeypatch)
        house.instance = stored_instance
        spools = tmp_path / "while it ran"
        commit_read = loading.commit_read

        def keep_files(*args, **kwargs):  # type: ignore[no-untyped-def]
            shutil.copytree(house.folder / "runs", spools)
            return commit_read(*args, **kwargs)

        monkeypatch.setattr(loading, "commit_read", keep_files)
        (result,) = house.load("nosy")
        green = {event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key}
        assert green == {"fine"}
        assert any(found(heard.encode()) for heard in server.heard), "the search has to find what there is"
        assert stranger.heard == []
    run = house.instance.get_runs()[0]
    with (tmp_path / "debug.gz").open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb") as packed:
        DebugRunPayload.build(house.instance, run).write(packed)
    reported = collect([*house.connections.values()], house.instance, house.warehouse, print)
    (tmp_path / "report.txt").write_text(render_report(reported, "html"))
    searched = [*contents(tmp_path)]
    assert {path.suffix for path, _ in searched} > {".db", ".duckdb", ".parquet", ".gz", ".txt"}
    assert [(path.name, found(content)) for path, content in searched if found(content)] == []
    assert b"could not be read" in b"".join(content for _, content in searched)
    output, errors = capfd.readouterr()
    assert found((output + errors + log.getvalue()).encode()) == []
    assert len(log.getvalue()) > 1000


@pytest.mark.parametrize("connection", ["sales_crm", "sales_engagement"])
def test_personal_data_does_not_reach_dagster(
    connection: str, house: Build, tmp_path: Path, stored_instance: dg.DagsterInstance
) -> None:
    mine = house(connection)
    mine.instance = stored_instance
    named = [one for one, declared in mine.resources(connection).items() if not declared.window]
    mine.connections[connection] = only(mine.connections[connection], *named)
    assert mine.materialize(*(f"{connection}/{name}" for name in named)).success
    texts = [
        str(row[name])
        for resource, declared in mine.resources(connection).items()
        for row in mine.truth(connection, resource)
        for name, column in declared.columns.items()
        if column.pii
    ]
    personal = {address.encode() for text in texts for address in re.findall(r"[\w.]+@[\w.-]+", text)}
    assert len(personal) > 20
    stored = b"".join(content for _, content in contents(tmp_path / "home"))
    assert "•••".encode() in stored or b"\\u2022\\u2022\\u2022" in stored
    assert [value for value in personal if value in stored] == []


def test_nothing_stays_and_nobody_else_may_look(house: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = house("sales_engagement")
    seen: dict[str, int] = {}
    commit_read = loading.commit_read

    def look(*args, **kwargs):  # type: ignore[no-untyped-def]
        for path in [mine.folder, *mine.folder.rglob("*")]:
            seen[str(path.relative_to(mine.folder))] = stat.S_IMODE(path.stat().st_mode)
        return commit_read(*args, **kwargs)

    monkeypatch.setattr(loading, "commit_read", look)
    assert all(result.success for result in mine.load("sales_engagement"))
    (run,) = (name for name in seen if name.startswith("runs/") and name.count("/") == 1 and not name.endswith(".lock"))
    assert seen["."] == seen["runs"] == seen[run] == 0o700
    assert any(name.endswith("prospects.parquet") for name in seen)
    assert any("completed_jobs" in name for name in seen)
    kept = {str(path.relative_to(mine.folder)) for path in mine.folder.rglob("*")}
    folders = {"runs", "budgets", "paging", "resume"}
    assert kept <= {*folders, "warehouse.duckdb", "warehouse.lock", "paging/sales_engagement.json", "resume/turn.lock"}
