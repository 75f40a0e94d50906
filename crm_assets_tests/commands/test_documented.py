"""Every command and query of the README and of the pages for users works as it is printed."""

from __future__ import annotations

import re
import subprocess

import duckdb
import pytest

from crm_assets_tests.commands.conftest import ROOT, Desk
from crm_assets_tests.forks import typed


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


README = [line for block in blocks("../README.md", "sh") for line in block.splitlines() if line]
OPERATE = [line for block in blocks("operate.md", "sh") for line in block.splitlines()]
TYPED = [line for line in README if not line.startswith(("make ", "export "))]
TYPED += [line for line in OPERATE if line.startswith("crm-assets ") and line not in TYPED]
QUERIES = blocks("query.md", "sql")
SYNC = "crm-assets sync"


@pytest.fixture(scope="module")
def first_sync(desk: Desk) -> subprocess.CompletedProcess[str]:
    """Load all tables: the costliest command, typed once for all tests."""
    return desk.types(SYNC)


@pytest.fixture(scope="module")
def synced(desk: Desk, first_sync: subprocess.CompletedProcess[str]) -> Desk:
    assert first_sync.returncode == 0, first_sync.stdout + first_sync.stderr
    return desk


@pytest.mark.parametrize("command", TYPED)
def test_a_command_succeeds(desk: Desk, command: str, request: pytest.FixtureRequest) -> None:
    done = request.getfixturevalue("first_sync") if command == SYNC else desk.types(command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


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
    done = typed("dagster definitions validate -f acme.py", folder=folder, environment=desk.environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_make_commands_of_the_readme_are_targets() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    made = [line.split()[1] for line in README if line.startswith("make ")]
    assert made == ["demo", "test"]
    assert set(made) <= set(targets)


def test_the_secret_of_the_readme_is_the_one_its_connection_needs(desk: Desk) -> None:
    exports = [line.split("=")[0].removeprefix("export ") for line in README if line.startswith("export ")]
    assert set(exports) <= set(desk.environment)


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\(((?!http)[^)#]+)", (ROOT / "README.md").read_text())
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]
