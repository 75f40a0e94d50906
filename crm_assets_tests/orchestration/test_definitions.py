"""The code location: the whole graph, loaded without network, secrets or traces; and what a run tells."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from syrupy.assertion import SnapshotAssertion

from crm_assets.declarations.connections import load_connections
from crm_assets_tests.conftest import Build
from crm_assets_tests.installation import START, Installation, Result

ROOT = Path(__file__).parents[2]
SECRET = "SOURCES__SALES_CRM__PASSWORD"


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    """The definitions as Dagster loads them from the checkout."""
    from crm_assets.definitions import defs

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRM_ASSETS_CONNECTIONS", str(ROOT / "connections.yaml"))
        patch.delenv("CRM_ASSETS_SANDBOX", raising=False)
        loaded = defs()
        assert isinstance(loaded, dg.Definitions)
        return loaded


CONNECTIONS = [connection.name for connection in load_connections(ROOT / "connections.yaml")]


def node_facts(graph: Any, key: dg.AssetKey) -> dict[str, Any]:
    """Return what the graph says of an asset."""
    node = graph.get(key)
    columns = node.metadata.get("dagster/column_schema")
    return {
        "deps": sorted(parent.to_user_string() for parent in node.parent_keys),
        "group": node.group_name,
        "kinds": sorted(node.kinds),
        "tags": {name: value for name, value in node.tags.items() if not name.startswith("dagster/kind/")},
        "owners": list(node.owners),
        "partitions": str(node.partitions_def) if node.partitions_def else None,
        "pools": sorted(node.pools or ()) if node.is_executable else [],
        "checks": sorted(check.name for check in node.check_keys),
        "table": node.metadata.get("dagster/table_name"),
        "columns": {column.name: _typed(column) for column in columns.columns} if columns else {},
    }


def _typed(column: dg.TableColumn) -> str:
    return f"{column.type}{'' if column.constraints.nullable else ' not null'}"


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_the_graph_is_the_one_we_know(
    definitions: dg.Definitions, snapshot: SnapshotAssertion, connection: str
) -> None:
    graph = definitions.resolve_asset_graph()
    keys = sorted(key for key in graph.get_all_asset_keys() if connection in key.path)
    assert {key.to_user_string(): node_facts(graph, key) for key in keys} == snapshot


def test_there_is_one_asset_for_every_list_of_the_seeds_and_the_report(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    assert len(graph.materializable_asset_keys - {dg.AssetKey("crm_report")}) == 32
    assert graph.has(dg.AssetKey("crm_report"))
    assert len(graph.external_asset_keys) == 5
    described = [graph.get(key).description for key in graph.get_all_asset_keys()]
    assert all(described)


def test_all_columns_are_described(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.materializable_asset_keys - {dg.AssetKey("crm_report")}:
        columns = graph.get(key).metadata["dagster/column_schema"].columns
        assert [column.name for column in columns if not column.description] == []


GUARD = """
import os, sys

def guard(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen"):
        raise PermissionError(f"{event} {args}")
    if event in ("os.mkdir", "os.rename", "os.remove") or event == "open" and wants_to_write(args):
        raise PermissionError(f"{event} {args}")

def wants_to_write(args):
    path, mode, flags = args
    return str(path) != os.devnull and bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))

sys.addaudithook(guard)
"""


def test_loading_touches_neither_network_nor_files_nor_secrets_nor_slow_libraries(tmp_path: Path) -> None:
    (tmp_path / "guard").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR")}
    told = (
        "import sys, crm_assets.definitions as d; print(len(d.defs().resolve_asset_graph().materializable_asset_keys), "
        "*{'aiohttp', 'duckdb', 'jinja2', 'pyarrow', 'starlette'} & {*sys.modules})"
    )
    run = subprocess.run(
        [sys.executable, "-c", told],
        cwd=tmp_path / "home",
        env={
            **kept,
            "PYTHONPATH": os.pathsep.join([str(tmp_path / "guard"), str(ROOT)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(tmp_path / "home"),
            "CRM_ASSETS_CONNECTIONS": str(ROOT / "connections.yaml"),
            "CRM_ASSETS_DATA": str(tmp_path / "home" / "data"),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (run.returncode, run.stdout.strip()) == (0, "33"), run.stderr[-2000:]
    assert list((tmp_path / "home").iterdir()) == []


def test_the_guard_of_that_test_works(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(GUARD)
    for attempt in ("import socket; socket.create_connection(('127.0.0.1', 9))", "open('trace', 'w')"):
        run = subprocess.run(
            [sys.executable, "-c", attempt],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "PermissionError" in run.stderr


def told(result: Result) -> str:
    """Return the one sentence a failed run tells."""
    assert not result.success
    (event,) = result.get_step_failure_events()
    failure = event.step_failure_data.user_failure_data
    assert failure
    assert failure.description
    return str(failure.description)


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (None, "is not set"),
        ("", "is empty"),
        ("   ", "is empty"),
        ("<your password>", "is still a placeholder"),
        ("changeme", "is still a placeholder"),
        ("your-api-key", "is still a placeholder"),
        ("...", "is still a placeholder"),
    ],
)
def test_a_secret_that_is_none_fails_the_run_with_one_sentence(
    house: Build, monkeypatch: pytest.MonkeyPatch, value: str | None, state: str
) -> None:
    if value is None:
        monkeypatch.delenv(SECRET)
    else:
        monkeypatch.setenv(SECRET, value)
    here = house("sales_crm")
    assert told(here.materialize("sales_crm/products")) == (
        f"Connection sales_crm: the secret password {state}. Set the environment variable {SECRET}, "
        f"or password under [sources.sales_crm] in .dlt/secrets.toml."
    )
    assert not here.sandbox.requests.of("sales_crm")


@pytest.mark.parametrize(
    ("base_url", "said"),
    [
        (
            "https://api.example.com/v1/",
            (
                "Connection sales_crm still points at the example address https://api.example.com/v1/: "
                "set base_url for it in the connections file, or start the sandbox with `crm-assets sandbox`."
            ),
        ),
        (
            "http://crm.mycompany.net/v1",
            (
                "Connection sales_crm would send its credentials unencrypted to crm.mycompany.net: use https://, "
                "or set allow_http: true for it in the connections file."
            ),
        ),
        (
            "ftp://crm.mycompany.net",
            (
                "Connection sales_crm has the base_url 'ftp://crm.mycompany.net', which is not a web address: "
                "set it to https:// and the API's host in the connections file."
            ),
        ),
    ],
)
def test_an_address_that_cannot_be_used_fails_the_run_with_one_sentence(house: Build, base_url: str, said: str) -> None:
    here = house("sales_crm", base_url=base_url)
    assert told(here.materialize("sales_crm/products")) == said


def test_no_secret_is_in_any_event(house: Build, sandbox: Any) -> None:
    from crm_assets.sandbox import sandbox_secrets
    from crm_assets_tests.faults import Fault

    here = house("sales_crm")
    sandbox.faults.push(Fault("status", "sales_crm", "accounts", status=401))
    result = here.materialize("sales_crm/accounts", "sales_crm/products")
    assert not result.success
    told_all = "\n".join(str(event) for event in here.instance.all_logs(result.run_id))
    for secret in sandbox_secrets(here.connections["sales_crm"]).values():
        assert secret not in told_all


def test_what_a_materialization_tells(house: Build) -> None:
    here = house("sales_crm")
    result = here.materialize("sales_crm/products")
    (event,) = result.get_asset_materialization_events()
    metadata = {name: value.value for name, value in event.materialization.metadata.items()}
    rows = here.truth("sales_crm", "products")
    sent = here.sandbox.requests.of("sales_crm", "products")
    told_columns = metadata.pop("dagster/column_schema").columns
    preview = metadata.pop("preview")
    for measured in ("fetch", "waited", "decode", "load", "checks"):
        assert 0 <= metadata.pop(f"seconds_{measured}") < 60
    assert metadata.pop("concurrency") > 0
    assert metadata.pop("bytes") > 100
    assert metadata.pop("dlt_load_id").replace(".", "").isdigit()
    pages = metadata["pages"]
    fetched_ahead = metadata.pop("requests") - len(sent)
    assert 0 <= fetched_ahead <= here.connections["sales_crm"].concurrency, "those past the end are called back"
    assert metadata == {
        "destination": "duckdb",
        "dataset": "sales_crm",
        "dagster/row_count": len(rows),
        "dagster/table_name": "warehouse.sales_crm.products",
        "rows_loaded": len(rows),
        "rows_new": len(rows),
        "rows_changed": 0,
        "rows_unchanged": 0,
        "rows_deleted": 0,
        "rows_vanished_not_marked": 0,
        "pages": pages,
        "retries": 0,
        "duplicates_in_read": 0,
        "rejected_records": 0,
        "misfit_values": 0,
        "mode": "full_refresh",
        "ended_by": f"page {pages - 1} is empty",
    }
    declared = here.resources("sales_crm")["products"].columns
    assert [column.name for column in told_columns][: len(declared)] == list(declared)
    assert all(column.type for column in told_columns)
    assert preview.count("\n") == 1 + 10
    assert str(rows[0]["id"]) in preview


def test_a_preview_shows_no_personal_data(house: Build) -> None:
    here = house("sales_crm")
    (event,) = here.materialize("sales_crm/contacts").get_asset_materialization_events()
    preview = str(event.materialization.metadata["preview"].value)
    declared = here.resources("sales_crm")["contacts"].columns
    personal = [name for name, column in declared.items() if column.pii]
    assert personal
    values = {str(row[name]) for row in here.table("sales_crm", "contacts") for name in personal if row[name]}
    assert not [value for value in values if value in preview]


def test_a_range_of_days_tells_each_partitions_own_rows(house: Build) -> None:
    here = house("service_crm")
    last = START.replace(day=12).isoformat()
    result = here.materialize("service_crm/appointments", dates=(START.isoformat(), last))
    told_rows = {
        event.partition: event.materialization.metadata["dagster/partition_row_count"].value
        for event in result.get_asset_materialization_events()
    }
    rows_of_day = _by_day(here, "service_crm", "appointments", "start_at")
    assert told_rows == {f"2024-03-{day:02}": rows_of_day.get(f"2024-03-{day:02}", 0) for day in range(1, 13)}
    assert len(set(told_rows.values())) > 1, "the test has to see days that differ"
    facts = [event.materialization.metadata for event in result.get_asset_materialization_events()]
    assert [one["rows_loaded"].value for one in facts] == [one["dagster/partition_row_count"].value for one in facts]
    assert [one["rows_new"].value for one in facts] == [one["rows_loaded"].value for one in facts]
    assert not [one for one in facts if one["rows_changed"].value or one["rows_unchanged"].value]
    whole: Any = facts[0]["whole_run"].value
    assert whole["rows_loaded"] == sum(told_rows.values())
    assert whole["requests"] > 0
    assert {"seconds_fetch", "seconds_load", "seconds_checks"} <= whole.keys()
    assert not {"requests", "pages", "seconds_fetch", "seconds_checks"} & {name for one in facts for name in one}
    again = here.materialize("service_crm/appointments", dates=(START.isoformat(), last))
    repeated = [event.materialization.metadata for event in again.get_asset_materialization_events()]
    assert [one["rows_unchanged"].value for one in repeated] == [one["rows_loaded"].value for one in facts]


def _by_day(here: Installation, connection: str, resource: str, field: str) -> Mapping[str, int]:
    zone = here.connections[connection].zone
    counts: dict[str, int] = {}
    for row in here.truth(connection, resource):
        key = row[field].astimezone(zone).date().isoformat()
        counts[key] = counts.get(key, 0) + 1
    return counts
