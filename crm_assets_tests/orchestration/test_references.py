"""Values that name rows of other tables: looked up, counted, and shown where they find nothing."""

from __future__ import annotations

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.orchestration.checks import check_specs
from crm_assets_tests.conftest import Build, only

INVOICES, CHECK = "service_crm/invoices", "references"


def test_values_that_find_nothing_are_counted_and_shown(house: Build, connections: dict[str, Connection]) -> None:
    here = house(only(connections["service_crm"], "invoices", "customers"))
    assert here.materialize("service_crm/invoices").success
    early = here.check(INVOICES, CHECK)[CHECK]
    assert early.passed
    assert early.description == "Nothing to look up yet. Not loaded: customers."
    assert here.materialize("service_crm/customers").success
    assert here.check(INVOICES, CHECK)[CHECK].passed
    first = "(SELECT min(id) FROM service_crm.invoices)"
    here.change(f"UPDATE service_crm.invoices SET customer_id = 9999999 WHERE id = {first}")
    late = here.check(INVOICES, CHECK)[CHECK]
    assert (late.passed, late.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert str(late.description).startswith("1 of ")
    assert str(late.description).endswith(" values of customer_id are not in customers.")
    (offender,) = late.metadata["offenders"].value.records
    assert offender.data == {"column": "customer_id", "value": "9999999", "rows": 1, "missing in": "customers"}


def test_tables_that_are_loaded_together_are_looked_up_when_all_are_there(
    house: Build, connections: dict[str, Connection]
) -> None:
    here = house(only(connections["service_crm"], "customers", "invoices", "tickets"))
    result = here.materialize(INVOICES, "service_crm/customers", "service_crm/tickets")
    found = {one.asset_key.path[-1]: one for one in result.get_asset_check_evaluations() if one.check_name == CHECK}
    assert {name: one.passed for name, one in found.items()} == {"invoices": True, "customers": True, "tickets": True}
    log = [entry.user_message for entry in here.instance.all_logs(result.run_id) if entry.dagster_event is None]
    story = [line.split(" ", 2)[1] for line in log if line.startswith("invoices: ")]
    assert story == ["reading", "fetched", "loaded"], log


def test_only_what_refers_to_something_is_checked(connections: dict[str, Connection]) -> None:
    service = connections["service_crm"]
    checked = {
        resource.name
        for resource in service.system.resources
        if CHECK in {spec.name for spec in check_specs(service, resource)}
    }
    assert "invoices" in checked
    assert "appointment_types" not in checked
