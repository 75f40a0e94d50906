"""Vendor profiles: what each of them says of itself, and how it differs from the system it extends."""

from __future__ import annotations

from typing import Any

import pytest

from crm_assets.declarations import Resource, System, available_systems, load_system
from crm_assets.declarations.models.paginator import JsonLink, PageNumber
from crm_assets.extract.http.credentials import Credentials
from crm_assets_tests.declarations.desk import Desk

VENDORS = [system for system in map(load_system, available_systems()) if system.base_system]
RESOURCES = [pytest.param(s, r, id=f"{s.name}.{r.name}") for s in VENDORS for r in s.resources]

each_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
each_resource = pytest.mark.parametrize(("vendor", "resource"), RESOURCES)

# profile -> system below, base URL with example parameters, header that carries the secret, requests a minute
EXPECTED: dict[str, tuple[str, str, dict[str, str], int | None]] = {
    "repairshopr": ("service_crm", "https://myshop.repairshopr.com/api/v1", {"Authorization": "Bearer k"}, 180),
    "syncro": ("service_crm", "https://myshop.syncromsp.com/api/v1", {"Authorization": "Bearer k"}, 180),
    "leadfeeder": ("visitor_analytics", "https://api.leadfeeder.com", {"Authorization": "Token token=k"}, 100),
    "smartreach": ("sales_engagement", "https://api.smartreach.io/api/v1", {"X-API-KEY": "k"}, None),
}

OTHER_FORMS = [
    ("repairshopr", {"auth_prefix": ""}, "k"),
    ("syncro", {"auth_prefix": ""}, "k"),
    ("leadfeeder", {"auth_prefix": "Bearer "}, "Bearer k"),
]


def examples(system: System) -> dict[str, Any]:
    return {name: param.example for name, param in system.params.items() if param.default is None}


@each_vendor
def test_a_profile_says_what_it_is_and_what_was_in_doubt(vendor: System) -> None:
    assert vendor.title
    assert vendor.description
    assert vendor.notes
    assert vendor.origin is None
    assert all(param.description and param.example for param in vendor.params.values())


@each_vendor
def test_a_profile_has_all_resources_of_the_system_it_extends(vendor: System) -> None:
    below = {resource.name for resource in load_system(str(vendor.base_system)).resources}
    assert below <= {resource.name for resource in vendor.resources}


@each_resource
def test_a_resource_says_what_it_rests_on(vendor: System, resource: Resource) -> None:
    assert resource.verified in ("contract", "connector", "inferred")
    assert resource.evidence
    assert resource.description
    assert not [name for name, column in resource.columns.items() if not column.description]
    assert not any(resource.columns[name].nullable for name in resource.primary_key)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_profile_names_the_real_api(desk: Desk, name: str) -> None:
    base_system, base_url, header, per_minute = EXPECTED[name]
    connection = desk.connection(system=name, params=examples(load_system(name)))
    system = connection.system
    secrets = dict.fromkeys(system.client.auth.secrets, "k")
    assert (system.base_system, connection.base_url, connection.unusable()) == (base_system, base_url, None)
    assert Credentials(system.client.auth, secrets, base_url).headers(base_url) == header
    assert (system.rate_limit and (system.rate_limit.requests, system.rate_limit.per)) == (
        per_minute and (per_minute, "minute")
    )


@pytest.mark.parametrize(("name", "params", "sent"), OTHER_FORMS)
def test_the_other_form_of_the_credential_is_a_setting(desk: Desk, name: str, params: Any, sent: str) -> None:
    connection = desk.connection(system=name, params={**examples(load_system(name)), **params})
    credentials = Credentials(connection.system.client.auth, {"api_key": "k", "api_token": "k"}, connection.base_url)
    assert credentials.headers(connection.base_url) == {"Authorization": sent}


@pytest.mark.parametrize("name", ["repairshopr", "syncro"])
def test_the_service_profiles_page_by_what_the_answer_tells(name: str) -> None:
    paginators = {resource.name: resource.endpoint.paginator for resource in load_system(name).resources}
    for resource, paginator in paginators.items():
        assert isinstance(paginator, PageNumber)
        assert (paginator.start_from_page, paginator.end, paginator.limit) == (1, "empty_page", None)
        assert paginator.total_pages_path == ("meta", "total_pages")
        assert (paginator.total_records_path is None) is (resource == "line_items")
        assert paginator.on_repeat == ("end" if resource == "appointment_types" else "error")


def test_leadfeeder_lists_end_without_a_link_and_pass_over_accounts_without_the_api() -> None:
    resources = {resource.name: resource.endpoint for resource in load_system("leadfeeder").resources}
    assert isinstance(resources["accounts"].paginator, JsonLink)
    for name in ("leads", "visits"):
        paginator = resources[name].paginator
        assert isinstance(paginator, PageNumber)
        assert (paginator.limit, paginator.end, paginator.next_link_path) == (100, "no_next_link", ("links", "next"))
    for endpoint in resources.values():
        handler = endpoint.error_handler
        assert handler.ignore_status_codes == (402,)
        assert (handler.retry_on_status_codes, handler.max_retries, handler.wait(1), handler.wait(2)) == (
            (429,),
            2,
            60,
            60,
        )
