"""What a misbehaving API leaves behind: a red check with a sentence, the siblings loaded, no partial data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import aiohttp
import dagster as dg
import pytest

from crm_assets.extract.http import transport
from crm_assets_tests.faults import Fault, FaultKind, FaultySandbox
from crm_assets_tests.installation import Installation, Result, Row
from crm_assets_tests.reliability import times

NUMBERED = ("by_page", "by_body", "by_offset")
PAGED = (*NUMBERED, "by_cursor", "by_link")
EVERY = (*PAGED, "whole")

SHORT: dict[str, tuple[tuple[str, ...], dict[str, Any], str]] = {
    "status": (EVERY, {"status": 503}, "answered 503"),
    "hang": (EVERY, {"seconds": 30}, "did not answer in time"),
    "redirect": (EVERY, {}, "points at another address"),
    "reset": (EVERY, {}, "broke in the middle of an answer"),
    "truncated": (EVERY, {}, "not valid JSON"),
    "html": (EVERY, {}, "web page instead of JSON"),
    "scalar": (EVERY, {}, "the answer has no 'data'"),
    "list_absent": (EVERY, {}, "the answer has no 'data'"),
    "list_keyed": (EVERY, {}, "found an object"),
    "foreign_link": (("by_link",), {}, "points at another address"),
    "empty_page": (NUMBERED, {}, "empty"),
    "page_ignored": (PAGED, {}, ""),
}
"""Kind of fault to the lists it cuts short, its further arguments, and what the check must say."""
ON_PAGE_TWO = ("empty_page", "page_ignored")

SEEN: dict[str, tuple[str, bool, str, str]] = {
    "duplicates": ("primary_key", True, "WARN", "1 record twice"),
    "null_id": ("primary_key", False, "ERROR", "rejected (kept in"),
    "long_ids": ("primary_key", False, "ERROR", "rejected (kept in"),
    "wrong_type": ("schema", True, "WARN", "(kept in _misfits)"),
    "unknown_field": ("schema", True, "WARN", "brand_new"),
    "twin_field": ("schema", True, "WARN", "Name"),
    "odd_fields": ("schema", True, "WARN", "mood"),
}
"""Kind of fault to the check that shows it, whether all rows are there, the severity, and what the check must say."""
MOVED = {"deleted": "by_page", "inserted": "by_offset"}
"""Kind of fault to the list whose rows move while it is read."""
HARMLESS = {"delay": {"seconds": 0.05}, "nulls_absent": {}}


def rounds(kinds: Mapping[str, Iterable[str]], at_once: int) -> list[dict[str, str]]:
    """Return the kind that each list meets, run by run, until every list has met each kind that can befall it.

    Kinds that were met least come first: a few runs meet all of them.

    Args:
        kinds: Kind of fault to the lists it can befall.
        at_once: How many lists of a run are to meet one.
    """
    left, met, found = {kind: [*lists] for kind, lists in kinds.items()}, Counter[str](), []
    while any(left.values()):
        found.append(run := dict[str, str]())
        for kind in sorted(left, key=lambda kind: (met[kind], len(left[kind]))) * at_once:
            free = [name for name in left[kind] if name not in run]
            if free and len(run) < at_once:
                run[free[0]] = kind
                left[kind].remove(free[0])
                met[kind] += 1
    return found


def few(all_rounds: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the first runs that meet every kind, in the long variant all of them."""
    whole = {kind for run in all_rounds for kind in run.values()}
    enough = next(
        number
        for number in range(1, len(all_rounds) + 1)
        if {kind for run in all_rounds[:number] for kind in run.values()} == whole
    )
    return all_rounds[: times(enough, len(all_rounds))]


SHORT_ROUNDS = few(rounds({kind: lists for kind, (lists, *_) in SHORT.items()}, 6))
SEEN_ROUNDS = few(rounds({kind: PAGED if kind == "duplicates" else EVERY for kind in SEEN}, 6))
HARMLESS_ROUNDS = few(rounds(dict.fromkeys(HARMLESS, EVERY), 6))


@pytest.fixture(autouse=True)
def _a_day_has_passed(sandbox: FaultySandbox) -> None:
    sandbox.state = 1


def run(house: Installation) -> Result:
    (result,) = house.load("paging")
    return result


def materialized(result: Result) -> set[str]:
    return {event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key}


def evaluation(result: Result, resource: str, check: str) -> dg.AssetCheckEvaluation:
    (found,) = [
        one
        for one in result.get_asset_check_evaluations()
        if (one.asset_key.path[-1], one.check_name) == (resource, check)
    ]
    return found


def failure(result: Result) -> str:
    (event,) = result.get_step_failure_events()
    error = event.step_failure_data.error
    assert error
    return error.message if error.cause is None else f"{error.message} {error.cause.message}"


def before(house: Installation, resource: str) -> list[Row]:
    house.sandbox.state, state = 0, house.sandbox.state
    try:
        return house.truth("paging", resource)
    finally:
        house.sandbox.state = state


def test_every_kind_of_fault_is_tested() -> None:
    assert {*SHORT, *SEEN, *MOVED, *HARMLESS} == set(get_args(FaultKind))
    for faults, runs in ((SHORT, SHORT_ROUNDS), (SEEN, SEEN_ROUNDS), (HARMLESS, HARMLESS_ROUNDS)):
        assert {kind for met in runs for kind in met.values()} == {*faults}


@pytest.mark.parametrize("met", SHORT_ROUNDS, ids=[" ".join(run.values()) for run in SHORT_ROUNDS])
def test_a_short_read_is_red_and_leaves_everything_else_alone(
    met: dict[str, Any], paging: Installation, sandbox: FaultySandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "hang" in met.values():
        monkeypatch.setattr(transport, "_HTTP_TIMEOUT", aiohttp.ClientTimeout(total=1.5))
    for resource, kind in met.items():
        page = {"page": 2} if kind in ON_PAGE_TWO else {}
        sandbox.faults.push(Fault(kind, "paging", resource, **page, **SHORT[kind][1]))
    result = run(paging)

    assert not result.success
    assert materialized(result) == {*EVERY, "sibling"} - {*met}
    for resource, kind in met.items():
        assert paging.table("paging", resource) == before(paging, resource)
        red = evaluation(result, resource, "completeness")
        assert (red.passed, red.severity) == (False, dg.AssetCheckSeverity.ERROR)
        assert SHORT[kind][2] in str(red.description)
        assert resource in failure(result)
    for resource in {*EVERY, "sibling"} - {*met}:
        live = paging.table("paging", resource, "_deleted_at IS NULL")
        assert live == paging.truth("paging", resource)
        assert evaluation(result, resource, "completeness").passed


@pytest.mark.parametrize("met", SEEN_ROUNDS, ids=[" ".join(run.values()) for run in SEEN_ROUNDS])
def test_what_is_wrong_with_records_is_kept_and_shown(
    met: dict[str, Any], paging: Installation, sandbox: FaultySandbox
) -> None:
    for resource, kind in met.items():
        sandbox.faults.push(Fault(kind, "paging", resource, **({"page": 2} if kind == "duplicates" else {})))
    result = run(paging)

    assert materialized(result) == {*EVERY, "sibling"}
    for resource, kind in met.items():
        check, whole, severity, said = SEEN[kind]
        shown = evaluation(result, resource, check)
        assert (shown.passed, shown.severity.value) == (False, severity), resource
        assert said in str(shown.description)
        rows = paging.query(f"SELECT count(*) AS rows FROM paging.{resource} WHERE _deleted_at IS NULL")
        if whole:
            assert rows == [{"rows": len(paging.truth("paging", resource))}]
    for resource in {*EVERY, "sibling"} - {*met}:
        assert all(evaluation(result, resource, name).passed for name in ("schema", "primary_key", "completeness"))


@pytest.mark.parametrize("met", HARMLESS_ROUNDS)
def test_what_is_only_unusual_is_green(met: dict[str, Any], paging: Installation, sandbox: FaultySandbox) -> None:
    sandbox.faults.push(*(Fault(kind, "paging", resource, **HARMLESS[kind]) for resource, kind in met.items()))
    result = run(paging)
    assert result.success
    assert all(one.passed for one in result.get_asset_check_evaluations())
    for resource in EVERY:
        assert paging.table("paging", resource, "_deleted_at IS NULL") == paging.truth("paging", resource)


def test_rows_that_move_while_they_are_read_are_never_red(paging: Installation, sandbox: Any) -> None:
    sandbox.faults.push(*(Fault(kind, "paging", resource, page=2) for kind, resource in MOVED.items()))
    result = run(paging)
    assert result.success
    for resource in MOVED.values():
        rows = paging.table("paging", resource, "_deleted_at IS NULL")
        missing = [row for row in paging.truth("paging", resource) if row not in rows]
        shown = evaluation(result, resource, "completeness")
        assert not missing or (not shown.passed and shown.severity is dg.AssetCheckSeverity.WARN)
