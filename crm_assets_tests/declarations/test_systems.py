"""The five neutral systems: complete, typed, described, and faithful to what their documents ask for."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from crm_assets.declarations import Column, ColumnType, Resource, System, load_connections, load_system
from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.loader import singular
from crm_assets.declarations.models.paginator import PageNumber, SinglePage

CONNECTIONS = Path(__file__).parents[2] / "connections.yaml"

SINGLE = "single page"
"""Stands for a list without pages where the tables below give a page size."""

# system -> resource -> path, selector, records per page (None: the API takes no size)
EXPECTED: dict[str, dict[str, tuple[str, str, int | str | None]]] = {
    "contact_crm": {
        "users": ("/", "data", 1000),
        "contacts": ("/", "Results", 1000),
        "tasks": ("/", "Results.*", 500),
        "pipeline_items": ("/", "PipelineItems", 500),
        "notes": ("/", "Results", 1000),
        "teams": ("/", "data", SINGLE),
        "events": ("/", "Results", 500),
        "contact_events": ("/", "Results", 1000),
    },
    "sales_crm": {
        name: (f"/{name}", name, 500) for name in ("accounts", "contacts", "events", "products", "pipelines")
    },
    "service_crm": {
        name: (f"/{name}", "assets" if name == "customer_assets" else name, None)
        for name in (
            *("appointment_types", "appointments", "customer_assets", "contacts", "contracts", "customers"),
            *("estimates", "invoices", "items", "line_items", "leads", "payments", "products", "tickets"),
        )
    },
    "visitor_analytics": {
        "accounts": ("/v1/accounts", "data", SINGLE),
        "leads": ("/v1/accounts/{account_id}/leads", "data", 100),
        "visits": ("/v1/accounts/{account_id}/visits", "data", 100),
    },
    "sales_engagement": {
        "campaigns": ("/campaigns", "data.campaigns", SINGLE),
        "prospects": ("/prospects", "data.prospects", None),
    },
}

# system -> base URL, page parameter, page size parameter, first page, rule that ends a list
PAGING: dict[str, tuple[str, str, str | None, int, str]] = {
    "contact_crm": ("https://api.example.com/v2", "Parameters.Page", "Parameters.MaxNumberOfResults", 1, "empty_page"),
    "sales_crm": ("https://api.example.com", "page[page]", "page[limit]", 0, "empty_page"),
    "service_crm": ("https://api.example.com/v1/", "page", None, 1, "empty_page"),
    "visitor_analytics": ("https://api.example.com", "page[number]", "page[size]", 1, "short_page"),
    "sales_engagement": ("https://api.example.com/api/v1/", "page", None, 1, "empty_page"),
}

SECRETS = {
    "contact_crm": ("api_key",),
    "sales_crm": ("username", "password"),
    "service_crm": ("api_key",),
    "visitor_analytics": ("api_token",),
    "sales_engagement": ("api_key",),
}

WINDOWS = {
    ("contact_crm", "tasks"): "due_date",
    ("contact_crm", "notes"): "date_displayed_in_history",
    ("contact_crm", "events"): "start_date",
    ("service_crm", "appointments"): "start_at",
    ("visitor_analytics", "leads"): "last_visit_date",
    ("visitor_analytics", "visits"): "date",
}

CURSORS = {("service_crm", "tickets"): "updated_at", ("service_crm", "invoices"): "updated_at"}

EXAMPLE_TYPES: dict[ColumnType, tuple[type, ...]] = {
    ColumnType.TEXT: (str,),
    ColumnType.BIGINT: (int,),
    ColumnType.DOUBLE: (int, float),
    ColumnType.DECIMAL: (str, int, float),
    ColumnType.BOOL: (bool,),
    ColumnType.TIMESTAMP: (str,),
    ColumnType.DATE: (str,),
    ColumnType.JSON: (dict, list),
}

SYSTEMS = [load_system(name) for name in EXPECTED]
RESOURCES = [pytest.param(s, r, id=f"{s.name}.{r.name}") for s in SYSTEMS for r in s.resources]

each_system = pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
each_resource = pytest.mark.parametrize(("system", "resource"), RESOURCES)


def columns_like(kind: ColumnType) -> list[tuple[str, Column]]:
    return [
        (f"{s.name}.{r.name}.{n}", c)
        for s in SYSTEMS
        for r in s.resources
        for n, c in r.columns.items()
        if c.type is kind
    ]


def test_the_out_of_the_box_connections_are_the_five_systems_with_32_resources() -> None:
    connections = load_connections(CONNECTIONS)
    assert [(c.name, c.system.name) for c in connections] == [(name, name) for name in EXPECTED]
    assert sum(len(c.system.resources) for c in connections) == 32
    assert {c.start_date for c in connections} == {date(2026, 10, 1)}
    assert all("example address" in (c.unusable() or "") for c in connections)


@each_system
def test_a_system_says_what_it_is_and_which_holes_it_fills(system: System) -> None:
    assert system.title
    assert system.description
    assert system.notes
    assert system.origin == f"{list(EXPECTED).index(system.name):03}"
    assert system.rate_limit is None


@each_system
def test_a_system_has_its_resources_in_order(system: System) -> None:
    assert [resource.name for resource in system.resources] == list(EXPECTED[system.name])
    assert system.client.base_url == PAGING[system.name][0]
    assert system.client.auth.secrets == SECRETS[system.name]


@each_resource
def test_a_resource_is_asked_for_as_its_document_says(system: System, resource: Resource) -> None:
    path, selector, size = EXPECTED[system.name][resource.name]
    endpoint = resource.endpoint
    assert (endpoint.path, path_text(endpoint.data_selector)) == (path, selector)
    assert endpoint.method == ("POST" if system.name == "contact_crm" else "GET")
    if size is SINGLE:
        assert isinstance(endpoint.paginator, SinglePage)
    else:
        assert isinstance(endpoint.paginator, PageNumber)
        assert endpoint.paginator.limit == size


@each_resource
def test_a_paged_list_has_a_first_page_and_an_explicit_end(system: System, resource: Resource) -> None:
    paginator = resource.endpoint.paginator
    if isinstance(paginator, PageNumber):
        _, page, size, first, end = PAGING[system.name]
        if (system.name, resource.name) == ("sales_crm", "events"):
            page, size = "page", "limit"
        assert (paginator.page_param, paginator.limit_param) == (page, size)
        assert (paginator.start_from_page, paginator.end) == (first, end)
        assert paginator.location == ("json" if system.name == "contact_crm" else "query")
        assert bool(paginator.total_pages_path) is (system.name == "service_crm")
    else:
        assert EXPECTED[system.name][resource.name][2] is SINGLE


@each_resource
def test_errors_are_retried_as_its_document_says(system: System, resource: Resource) -> None:
    handler = resource.endpoint.error_handler
    waits = [handler.wait(attempt) for attempt in range(1, handler.max_retries + 1)]
    if system.name == "visitor_analytics":
        assert (handler.retry_on_status_codes, waits) == ((429,), [60, 60])
    else:
        assert (handler.retry_on_status_codes, waits) == ((429, 500, 502, 503, 504), [2, 4, 8])


@each_resource
def test_a_resource_is_read_by_window_or_cursor_where_its_api_can(system: System, resource: Resource) -> None:
    key = (system.name, resource.name)
    assert (resource.window and resource.window.field) == WINDOWS.get(key)
    assert (resource.incremental and resource.incremental.field) == CURSORS.get(key)


@each_resource
def test_every_column_is_typed_and_described(system: System, resource: Resource) -> None:
    assert resource.description
    undescribed = [name for name, column in resource.columns.items() if not column.description.strip()]
    assert not undescribed
    assert all(isinstance(column.type, ColumnType) for column in resource.columns.values())


@each_resource
def test_the_primary_key_is_never_null_and_is_the_id(system: System, resource: Resource) -> None:
    per_partition = bool(resource.window and resource.window.per_partition)
    assert resource.primary_key == (("account_id", "id", "last_visit_date") if per_partition else ("id",))
    assert not any(resource.columns[name].nullable for name in resource.primary_key)


@each_resource
def test_an_id_has_the_type_of_the_id_it_points_to(system: System, resource: Resource) -> None:
    targets = {f"{singular(other.name)}_id": other.columns["id"].type for other in system.resources}
    wrong = {n: c.type for n, c in resource.columns.items() if n in targets and c.type is not targets[n]}
    assert not wrong


@each_resource
def test_a_column_stands_on_the_wire_under_its_own_name(system: System, resource: Resource) -> None:
    for name, column in resource.columns.items():
        if column.placeholder:
            assert column.placeholder == name
        elif column.source:
            assert (system.name, column.source) == ("visitor_analytics", f"attributes.{name}")


@pytest.mark.parametrize("kind", list(ColumnType), ids=lambda kind: kind.value)
def test_examples_are_of_their_column_type(kind: ColumnType) -> None:
    columns = columns_like(kind)
    assert columns
    wrong = [
        (name, example)
        for name, column in columns
        for example in column.examples
        if example is not None or not column.nullable
        if isinstance(example, bool) != (kind is ColumnType.BOOL) or not isinstance(example, EXAMPLE_TYPES[kind])
    ]
    assert not wrong


def test_only_children_of_accounts_have_a_parent() -> None:
    bound = {(s.name, r.name): r.parent for s in SYSTEMS for r in s.resources if r.parent}
    assert {key: (parent.resource, parent.field, parent.placeholder) for key, parent in bound.items()} == {
        ("visitor_analytics", name): ("accounts", "id", "account_id") for name in ("leads", "visits")
    }


def test_every_function_of_the_contact_crm_is_asked_for_once() -> None:
    bodies = [resource.endpoint.json_body or {} for resource in load_system("contact_crm").resources]
    assert [body["Function"] for body in bodies] == [
        *("GetUsers", "GetContacts", "GetTasks", "GetPipelineItemsAttachedToContact"),
        *("GetNotes", "GetTeams", "GetEvents", "GetEventsAttachedToContact"),
    ]
    assert all(body["Parameters"] == {} for body in bodies)


def test_only_tasks_have_rows_outside_every_window() -> None:
    include_undated = [(s.name, r.name) for s in SYSTEMS for r in s.resources if r.window and r.window.include_undated]
    assert include_undated == [("contact_crm", "tasks")]


def test_leads_are_asked_for_window_by_window_and_not_beyond_the_depth_of_the_api() -> None:
    window = load_system("visitor_analytics").resource("leads").window
    assert window is not None
    assert (window.per_partition, window.grain, window.end, window.max_rows) == (True, "daily", "inclusive", 10_000)
