"""PostgreSQL as the warehouse: the same tables, checks and deletes, and writers that lose no row."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot
from rich.console import Console, RenderableType

from crm_assets.commands.migrate import migrate, render_migrations
from crm_assets.commands.plan import plan
from crm_assets.commands.plan_view import render_plans
from crm_assets.declarations.connection_overrides import apply_connection
from crm_assets.declarations.models.connection import Connection
from crm_assets.warehouse import all_reads
from crm_assets.warehouse.comments import describe
from crm_assets.warehouse.dialect import in_dialect
from crm_assets.warehouse.session import WarehouseSession
from crm_assets_tests.faults import Fault, FaultySandbox
from crm_assets_tests.installation import Result, dates, failure
from crm_assets_tests.postgres import COLUMN_TYPES, URL, PostgresHouse, new_database
from crm_assets_tests.reliability import times
from crm_assets_tests.warehouse.growing_table import grow_and_compare, open_to_all
from crm_assets_tests.writers import CONNECTION, crew

CHOSEN = ("sales_crm", "visitor_analytics", "paging")
CHECKS = ("schema", "primary_key", "completeness")

DAYS = dates()[:6]
STATEMENTS: set[str] = set()
"""All SQL that the tests of this module have sent."""
DIALECTS = {"snowflake": str.upper} | dict.fromkeys(["bigquery", "redshift", "clickhouse", "databricks", "duckdb"], str)


@pytest.fixture(scope="module", autouse=True)
def _database(postgres: str) -> Iterator[None]:
    in_dialect = WarehouseSession.in_dialect

    def noted(session: WarehouseSession, sql: str) -> str:
        STATEMENTS.add(sql)
        return in_dialect(session, sql)

    with new_database(postgres) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv(URL, url)
        patch.setattr(WarehouseSession, "in_dialect", noted)
        yield


@pytest.fixture(scope="module")
def loaded(
    served: tuple[FaultySandbox, str], connections: dict[str, Connection], tmp_path_factory: pytest.TempPathFactory
) -> PostgresHouse:
    chosen = [connections[name] for name in CHOSEN]
    here = PostgresHouse(*served, tmp_path_factory.mktemp("postgres") / "data", chosen, destination="postgres")
    for connection in chosen:
        for result in read(here, connection.name):
            assert result.success, failure(result)
            found = [one for one in result.get_asset_check_evaluations() if one.check_name in CHECKS]
            assert found
            assert [one.description for one in found if not one.passed] == []
    return here


def read(house: PostgresHouse, connection: str) -> list[Result]:
    return house.load(connection, (DAYS[0].isoformat(), DAYS[-1].isoformat()))


@pytest.mark.parametrize("connection", CHOSEN)
def test_tables_hold_what_the_api_holds(loaded: PostgresHouse, connection: str) -> None:
    for name, declared in loaded.resources(connection).items():
        assert loaded.table(connection, name) == loaded.truth(connection, name, DAYS[0], DAYS[-1])
        found = loaded.query(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
            f"WHERE table_schema = '{connection}' AND table_name = '{name}'"
        )
        types = {row["column_name"]: row["data_type"] for row in found if row["column_name"] in declared.columns}
        assert types == {column: COLUMN_TYPES[kind.type.value] for column, kind in declared.columns.items()}
        required = {row["column_name"] for row in found if row["is_nullable"] == "NO"}
        assert required >= {*declared.primary_key}


@pytest.mark.parametrize("connection", ["sales_crm", "visitor_analytics"])
def test_reading_again_changes_nothing(loaded: PostgresHouse, connection: str) -> None:
    before = loaded.snapshot(connection)
    assert all(result.success for result in read(loaded, connection))
    assert loaded.snapshot(connection) == before


TRICKY = {
    "by_page": "",
    "by_body": "\\N",
    "by_offset": 'a "quoted", text\nof two\r\nlines\tand \\ tails\\',
    "by_cursor": "ü€😀 NULL",
    "by_link": "NULL",
    "whole": ' " ',
}
"""Texts that a text format between us and the server may change."""


def test_texts_arrive_as_they_are(loaded: PostgresHouse, sandbox: FaultySandbox) -> None:
    for name, text in TRICKY.items():
        sandbox.faults.push(Fault("wrong_type", "paging", name, field="name", value=text))
    (result,) = loaded.load("paging")
    assert result.success, failure(result)
    for name, text in TRICKY.items():
        assert text in {row["name"] for row in loaded.table("paging", name)}, name
    sandbox.faults.clear()
    assert loaded.materialize("paging/by_offset").success
    assert loaded.table("paging", "by_offset") == loaded.truth("paging", "by_offset")


def test_what_does_not_fit_is_kept_as_json(loaded: PostgresHouse, sandbox: FaultySandbox) -> None:
    odd = {"quote": '"', "lines": "a\nb", "list": [1, None, "x,y"]}
    sandbox.faults.push(
        Fault("wrong_type", "paging", "whole", field="amount", value='12" wide,\nor so'),
        Fault("unknown_field", "paging", "whole", field="odd", value=odd),
        Fault("null_id", "paging", "by_page"),
    )
    spoilt = ("paging/whole", "paging/by_page")
    assert not loaded.materialize(*spoilt).success, "a red check that blocks fails the run"
    assert loaded.query("SELECT DISTINCT _extra FROM paging.whole") == [{"_extra": {"odd": odd}}]
    misfits = loaded.query("SELECT _misfits FROM paging.whole WHERE _misfits IS NOT NULL")
    assert misfits == [{"_misfits": {"amount": '12" wide,\nor so'}}]
    rejected = loaded.query("SELECT reason FROM paging.by_page__rejected")
    assert {row["reason"] for row in rejected} == {"the primary key id is missing, null or of the wrong type"}
    assert not loaded.materialize(*spoilt).success
    sandbox.faults.clear()
    assert loaded.materialize(*spoilt).success
    assert loaded.query("SELECT reason FROM paging.by_page__rejected") == []


def test_fields_without_a_column_come_change_and_go(
    served: tuple[FaultySandbox, str],
    connections: dict[str, Connection],
    tmp_path: Path,
    own_database: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    growing = open_to_all(connections["paging"], history=True)
    grow_and_compare(PostgresHouse(*served, tmp_path / "data", [growing], destination="postgres"))
    assert "column hints were different" not in caplog.text


def test_deletes_are_marked_and_cleared(loaded: PostgresHouse, sandbox: FaultySandbox) -> None:
    first = loaded.truth("paging", "by_link")
    sandbox.state = 1
    gone = {row["id"] for row in first} - {row["id"] for row in loaded.truth("paging", "by_link")}
    assert gone
    assert loaded.materialize("paging/by_link").success
    assert {row["id"] for row in loaded.table("paging", "by_link", "_deleted_at IS NOT NULL")} == gone
    current = loaded.query("SELECT id FROM paging.by_link__current")
    assert {row["id"] for row in current} == {row["id"] for row in loaded.truth("paging", "by_link")}
    sandbox.state = 0
    assert loaded.materialize("paging/by_link").success
    assert loaded.table("paging", "by_link", "_deleted_at IS NULL") == first


def test_a_window_holds_what_the_api_holds_now(loaded: PostgresHouse) -> None:
    day = DAYS[4]
    before = loaded.table("visitor_analytics", "visits")
    loaded.change(
        "INSERT INTO visitor_analytics.visits (id, account_id, date, _read_id) "
        f"VALUES ('gone at the source', 'a', '{day}', 'old')"
    )
    assert loaded.materialize("visitor_analytics/visits", day=day.isoformat()).success
    assert loaded.table("visitor_analytics", "visits") == before


def test_checks_run_alone(loaded: PostgresHouse) -> None:
    for name, found in loaded.check("paging/by_offset", *CHECKS).items():
        assert found.passed, (name, found.description)
    loaded.change("ALTER TABLE paging.by_offset ADD COLUMN nickname text")
    try:
        shown = loaded.check("paging/by_offset", "schema")["schema"]
        assert (shown.passed, shown.description) == (False, "Column nickname is not declared.")
    finally:
        loaded.change("ALTER TABLE paging.by_offset DROP COLUMN nickname")


def test_tables_that_are_read_in_parts_have_indexes(loaded: PostgresHouse) -> None:
    """What a daily read looks rows up by must not read the whole table."""
    found = loaded.query("SELECT tablename, indexname FROM pg_indexes WHERE schemaname = 'visitor_analytics'")
    assert {row["indexname"] for row in found if row["tablename"] == "visits"} == {
        f"visits__{name}" for name in ("by_key", "by_time", "by_read", "odd")
    }
    assert {row["indexname"] for row in found if row["tablename"] == "_reads"} == {
        f"_reads__{name}" for name in ("by_resource", "by_id", "by_time")
    }
    assert {row["tablename"] for row in found} - {"_reads"} == {
        name for name, declared in loaded.resources("visitor_analytics").items() if declared.mode != "full_refresh"
    }
    with loaded.warehouse.session("visitor_analytics", loaded.folder, print) as session:
        session.write("SET enable_seqscan = off")
        for looked_up in ("_read_id = 'x'", "_extra IS NOT NULL LIMIT 10000", "_misfits IS NOT NULL", "id = '1'"):
            plan = session.query(f"EXPLAIN SELECT 1 FROM visitor_analytics.visits WHERE {looked_up}")
            assert "Index" in str(plan), plan


def test_all_reads_are_in_one_view(loaded: PostgresHouse) -> None:
    found = loaded.query("SELECT DISTINCT connection FROM crm_assets.crm_reads WHERE complete ORDER BY 1")
    assert [row["connection"] for row in found] == ["paging", "sales_crm", "visitor_analytics"]
    (made,) = loaded.query("SELECT oid FROM pg_class WHERE relname = 'crm_reads'")
    for connection in ("paging", "sales_crm"):
        with loaded.warehouse.session(connection, loaded.folder, print) as session:
            all_reads.refresh(session)
    assert loaded.query("SELECT oid FROM pg_class WHERE relname = 'crm_reads'") == [made], "it locks out who reads it"


def test_descriptions_are_comments(loaded: PostgresHouse) -> None:
    found = loaded.query(
        "SELECT a.attname AS name, col_description(a.attrelid, a.attnum) AS comment FROM pg_attribute a "
        "WHERE a.attrelid = 'sales_crm.accounts'::regclass AND a.attnum > 0"
    )
    told = {row["name"]: row["comment"] for row in found}
    declared = loaded.resources("sales_crm")["accounts"]
    described = {name: " ".join(column.description.split()) for name, column in declared.columns.items()}
    assert {name: text for name, text in described.items() if text}.items() <= told.items()
    (table,) = loaded.query("SELECT obj_description('sales_crm.accounts'::regclass) AS comment")
    assert table["comment"] == " ".join(declared.description.split())
    with loaded.warehouse.session("sales_crm", loaded.folder, print) as session:
        describe(session, [declared.model_copy(update={"description": "It's 100% ours; -- a \\ %s"})])
        describe(session, [declared])
        assert loaded.query("SELECT obj_description('sales_crm.accounts'::regclass) AS comment") == [table]


def test_versions_of_rows_are_kept(loaded: PostgresHouse, sandbox: FaultySandbox) -> None:
    paging = loaded.connections["paging"]
    kept = apply_connection(paging.model_copy(update={"history": ("by_page",)}))
    here = PostgresHouse(sandbox, loaded.served_at, loaded.folder, [kept], destination="postgres")
    count = "SELECT count(*) AS all, count(_valid_to) AS ended FROM paging.by_page__history"
    assert here.materialize("paging/by_page").success
    assert here.query(count) == [{"all": len(here.table("paging", "by_page")), "ended": 0}]
    first = {row["id"]: row for row in here.table("paging", "by_page")}
    sandbox.state = 3
    assert here.materialize("paging/by_page").success
    now = {row["id"]: row for row in here.table("paging", "by_page", "_deleted_at IS NULL")}
    ended = {row["id"] for row in here.query("SELECT id FROM paging.by_page__history WHERE _valid_to IS NOT NULL")}
    assert ended == {key for key in first if first[key] != now.get(key)}
    assert loaded.materialize("paging/by_page").success


TRIALS = times(2, 20)
"""Four writers merge into one table at once, so often."""


def test_writers_on_several_machines_lose_no_row(
    loaded: PostgresHouse, served: tuple[FaultySandbox, str], tmp_path: Path
) -> None:
    days = [day.isoformat() for day in DAYS[:4]]
    expected = loaded.truth(CONNECTION, "visits", DAYS[0], DAYS[3])
    assert len(expected) >= len(days)
    with crew(4) as work:
        for trial in range(TRIALS):
            loaded.change(f"DELETE FROM {CONNECTION}.visits")
            turned = days[trial % 4 :] + days[: trial % 4]
            works = [(served[1], str(tmp_path / f"machine {one}"), "postgres", [turned[one]]) for one in range(4)]
            assert work(works) == []
            assert loaded.table(CONNECTION, "visits") == expected, f"trial {trial}"


def test_plan_and_migrate_work_on_postgresql(loaded: PostgresHouse) -> None:
    connection = loaded.connections["paging"]
    planned = plan([(connection, {"whole", "by_offset"})], loaded.warehouse)
    assert "the whole list" in printed(render_plans(planned))
    assert migrate(connection, loaded.warehouse, None, execute=True).migrations == ()
    before = loaded.table("paging", "whole")
    loaded.change(
        "DROP VIEW paging.whole__current; ALTER TABLE paging.whole ALTER id TYPE text; "
        "ALTER TABLE paging.whole ALTER amount TYPE text USING CASE WHEN id = '1' THEN 'twelve' ELSE '12.5' END"
    )
    assert "crm-assets migrate paging.whole" in failure(loaded.materialize("paging/whole"))
    said = printed(render_migrations([migrate(connection, loaded.warehouse, "whole", execute=True)]))
    assert f"id: text becomes bigint; {len(before)} of {len(before)} values are kept exactly." in said
    assert "The column stays as amount__v_text, with all values" in said
    assert loaded.query("SELECT amount__v_text AS kept FROM paging.whole WHERE id = 1") == [{"kept": "twelve"}]
    loaded.change("DROP VIEW paging.whole__current; ALTER TABLE paging.whole DROP COLUMN amount__v_text")
    assert loaded.materialize("paging/whole").success
    assert loaded.table("paging", "whole") == before


def printed(shown: RenderableType) -> str:
    screen = Console(file=io.StringIO(), width=1000)
    screen.print(shown)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def shape(sql: str) -> str:
    """Return a statement without its names, numbers and plain texts, and with one of several equal things in a row."""
    of_any = re.sub(rf"""("[^"]*"|\d+|'[\w .:+-]*'|\b({"|".join(CHOSEN)})\b)""", "x", sql)
    return re.sub(r"\b([^,()]+)((, | AND | OR )\1)+\b", r"\1\3\1", of_any)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_all_that_was_sent_can_be_written_for_other_destinations(loaded: PostgresHouse, dialect: str) -> None:
    """Whether their servers take it nobody tried; sqlglot writes and reads every statement."""
    kinds = {sql.split(maxsplit=1)[0] for sql in STATEMENTS}
    assert kinds >= {"SELECT", "INSERT", "DELETE", "CREATE", "DROP"}
    for sql in {shape(sql): sql for sql in STATEMENTS}.values():
        written = in_dialect(sql, dialect, DIALECTS[dialect])
        assert written.count("%s") == sql.count("%s")
        sqlglot.parse_one(written.replace("%s", "NULL"), read=dialect)
