"""Every query and command of the pages for users works as it is printed."""

from __future__ import annotations

import re

import duckdb
import pytest

from crm_assets_tests.commands.conftest import ROOT, Desk


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


QUERIES = blocks("query.md", "sql")


@pytest.fixture(scope="module")
def synced(desk: Desk) -> Desk:
    done = desk.types("crm-assets sync")
    assert done.returncode == 0, done.stdout + done.stderr
    return desk


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_runs(synced: Desk, query: str) -> None:
    with duckdb.connect(str(synced.data / "warehouse.duckdb"), read_only=True) as database:
        assert database.sql(query).columns


def test_the_queries_of_examples_find_something(synced: Desk) -> None:
    with duckdb.connect(str(synced.data / "warehouse.duckdb"), read_only=True) as database:
        assert [query for query in QUERIES[:3] if not database.execute(query).fetchone()] == []


def test_python_reads_the_warehouse(synced: Desk) -> None:
    (command,) = [line for block in blocks("query.md", "sh") for line in block.splitlines()]
    done = synced.types(command.replace("data/warehouse.duckdb", str(synced.data / "warehouse.duckdb")))
    assert done.returncode == 0, done.stderr
    assert "id" in done.stdout


def test_the_dbt_sources_of_the_page_are_printed(desk: Desk) -> None:
    commands = [line for block in blocks("own_project.md", "sh") for line in block.splitlines()]
    (command,) = [line for line in commands if line.startswith("crm-assets")]
    done = desk.types(command)
    assert done.returncode == 0, done.stderr
    assert "asset_key:" in done.stdout


def test_the_python_of_the_page_is_a_code_location(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("own")
    (code,) = blocks("own_project.md", "python")
    (folder / "acme.py").write_text(code, encoding="utf-8")
    connections = "connections:\n  - {name: shop, system: repairshopr, params: {subdomain: acme}}\n"
    (folder / "connections.yaml").write_text(connections, encoding="utf-8")
    done = desk.types(f"cd {folder} && dagster definitions validate -f acme.py")
    assert done.returncode == 0, done.stdout + done.stderr


COMMANDS = [
    line for block in blocks("operate.md", "sh") for line in block.splitlines() if line.startswith("crm-assets ")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_operating_page_succeeds(synced: Desk, command: str) -> None:
    done = synced.types(command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
