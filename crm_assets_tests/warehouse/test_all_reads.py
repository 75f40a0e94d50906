"""The view of all connections' reads: made with the connections, made again when one goes."""

from __future__ import annotations

from crm_assets_tests.conftest import Build
from crm_assets_tests.installation import Installation


def reads(here: Installation) -> set[tuple[str, str]]:
    rows = here.query("SELECT connection, resource FROM crm_assets.crm_reads WHERE complete")
    return {(row["connection"], row["resource"]) for row in rows}


def test_all_connections_reads_are_in_one_view(house: Build, paging: Installation) -> None:
    assert ("paging", "by_page") in reads(paging)
    both = house("paging", "sales_engagement", folder=paging.folder)
    both.change("ALTER TABLE paging._reads DROP COLUMN fields")
    assert both.materialize("sales_engagement/campaigns").success
    assert reads(both) >= {("paging", "by_page"), ("sales_engagement", "campaigns")}
    both.change("CREATE SCHEMA theirs; CREATE TABLE theirs._reads (book VARCHAR); DROP SCHEMA paging CASCADE")
    assert both.materialize("sales_engagement/campaigns").success
    assert reads(both) == {("sales_engagement", "campaigns")}


def test_a_view_that_cannot_be_made_stops_no_table(paging: Installation) -> None:
    paging.change("DROP SCHEMA crm_assets CASCADE; CREATE SCHEMA crm_assets; CREATE TABLE crm_assets.crm_reads (a INT)")
    assert paging.materialize("paging/by_page").success
    assert paging.query("SELECT count(*) AS rows FROM crm_assets.crm_reads") == [{"rows": 0}]


def test_a_read_log_of_an_earlier_version_is_brought_up_to_date(paging: Installation) -> None:
    paging.change("ALTER TABLE paging._reads RENAME date_range TO span")
    before = paging.query("SELECT read_id, span FROM paging._reads")
    assert paging.materialize("paging/by_page").success
    after = paging.query("SELECT read_id, date_range AS span FROM paging._reads")
    assert [row for row in after if row in before] == before
    assert len(after) == len(before) + 1
    assert ("paging", "by_page") in reads(paging)
