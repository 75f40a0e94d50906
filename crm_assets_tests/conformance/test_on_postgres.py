"""The conformance suite on PostgreSQL, for one system; ``--destination postgres`` runs all of it there."""

from __future__ import annotations

import pytest

from crm_assets_tests.conformance import test_resources as conformance
from crm_assets_tests.conformance.conftest import read_once
from crm_assets_tests.conftest import Build
from crm_assets_tests.faults import FaultySandbox

SYSTEM = "sales_engagement"
EACH = (
    conformance.test_every_list_is_walked_to_its_end,
    conformance.test_the_table_holds_what_the_api_holds,
    conformance.test_every_row_has_its_own_key,
    conformance.test_columns_have_the_declared_types,
    conformance.test_nothing_is_left_over,
    conformance.test_all_checks_are_green,
)


@pytest.mark.parametrize("destination", ["postgres"], indirect=True)
def test_a_system_is_loaded_as_it_is(house: Build, sandbox: FaultySandbox, destination: str) -> None:
    loaded = read_once(house(SYSTEM))
    conformance.test_all_runs_succeed_and_all_requests_are_understood(lambda _: loaded, SYSTEM)
    for resource in loaded.house.resources(SYSTEM):
        for holds in EACH:
            holds(lambda _: loaded, SYSTEM, resource)
    conformance.test_reading_again_changes_nothing(lambda _: loaded, sandbox, SYSTEM)
