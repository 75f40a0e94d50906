"""An installation's shared state, in files and in the instance's PostgreSQL."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from crm_assets.extract.shared_state import FileState, SharedState
from crm_assets.orchestration.shared_state.state import PostgresState

_TABLES = """
DROP TABLE IF EXISTS crm_assets_rates, crm_assets_departures, crm_assets_tokens, crm_assets_runs,
  crm_assets_journal_entries, crm_assets_journals
"""


@pytest.fixture
def url(postgres: str) -> str:
    """The database of the Dagster instance."""
    return postgres


@pytest.fixture(params=["files", "postgres"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> SharedState:
    """An installation's shared state without anything in it."""
    if request.param == "files":
        return FileState(tmp_path)
    url = request.getfixturevalue("url")
    with closing(psycopg2.connect(url)) as database, database, database.cursor() as cursor:
        cursor.execute(_TABLES)
    return PostgresState(url)
