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


def test_only_what_refers_to_something_is_checked(connections: dict[str, Connection]) -> None:
    service = connections["service_crm"]
    checked = {
        resource.name
        for resource in service.system.resources
        if CHECK in {spec.name for spec in check_specs(service, resource)}
    }
    assert "invoices" in checked
    assert "appointment_types" not in checked
