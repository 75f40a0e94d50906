"""The summary of a sync, as a terminal of 80 columns shows it and as programs read it."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from crm_assets.commands.sync.console import print_summary, summary_json, totals
from crm_assets.commands.sync.results import AssetResult

NUMBERS = {
    "rows_new": 12,
    "rows_changed": 34_567,
    "rows_deleted": 123_456,
    "rows_vanished_not_marked": 2,
    "rejected_records": 3,
    "misfit_values": 4,
    "duplicates_in_read": 5,
}
CHECKS = {"schema": "warned", "primary_key": "passed", "completeness": "failed", "freshness": "passed"}


def loaded(name: str, rows: int = 1_234_567, checks: dict[str, str] | None = None) -> AssetResult:
    return AssetResult("sales_crm", name, True, rows, rows, 98_765, dict(NUMBERS), checks or {"schema": "passed"})


def shown(*results: AssetResult) -> str:
    console = Console(width=80, file=StringIO())
    print_summary(results, 12.3, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("name", ["accounts", "a_list_with_a_name_that_is_longer_than_any_vendor_would_ever_give_one"])
def test_numbers_are_never_cut(name: str) -> None:
    text = shown(loaded(name, checks=CHECKS), AssetResult("sales_crm", "products", sentences=["404 Not Found"]))
    assert "…" not in text
    for number in ("1,234,567", "12", "34,567", "123,456", "98,765", "failed"):
        assert number in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_failed_list_is_one_line_with_its_reason() -> None:
    text = shown(loaded("accounts"), AssetResult("sales_crm", "products", sentences=["the server answered 404"]))
    assert [line for line in text.splitlines() if "products:" in line] == [
        "sales_crm.products: the server answered 404"
    ]


def test_what_is_true_of_several_lists_is_said_once() -> None:
    down, checks = "the server cannot be reached", {"schema": "passed", "freshness": "warned", "completeness": "failed"}
    lists = [AssetResult("sales_crm", name, checks=checks, sentences=[down]) for name in ("accounts", "products")]
    lines = shown(*lists, AssetResult("service_crm", "products", sentences=[down])).splitlines()
    assert [line for line in lines if down in line] == [
        f"sales_crm.accounts, products: {down}",
        f"service_crm.products: {down}",
    ]
    assert next(line.split()[-6:] for line in lines if "failed" in line) == ["1", "✓", "1", "!", "1", "✗"]


def test_names_are_whole_where_no_list_was_loaded() -> None:
    failed = AssetResult("service_crm", "appointment_types", checks=CHECKS)
    assert "service_crm.appointment_types failed 2 ✓ 1 ! 1 ✗" in shown(failed)
    assert "deleted" not in shown(failed)


def test_one_row_is_a_row() -> None:
    assert "1 row loaded" in totals([loaded("accounts", rows=1)], 1)
    assert "2 rows loaded (12 new, 34,567 changed, 123,456 marked as deleted) in 1.0 s" in totals(
        [loaded("accounts", rows=2)], 1
    )


def test_the_json_has_all_that_was_counted() -> None:
    (asset,) = summary_json([loaded("accounts")], 1)["assets"]  # type: ignore[misc, call-overload]
    counted = {
        "new": 12,
        "changed": 34_567,
        "deleted": 123_456,
        "vanished_not_marked": 2,
        "rejected": 3,
        "misfits": 4,
        "duplicates": 5,
    }
    assert asset.items() >= counted.items()
