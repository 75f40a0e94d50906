"""What a configuration of dlt says and this dialect cannot is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from dlt.common.normalizers.naming.snake_case import NamingConvention

from crm_assets.declarations import SpecError
from crm_assets.declarations.loader import parse_system
from crm_assets.extract.secrets import missing_secrets
from crm_assets_tests.dialect.test_configurations import connect

CLIENT = {"base_url": "https://api.desk.test"}


def config(resource: Any, **client: Any) -> dict[str, Any]:
    return {"name": "api", "client": {**CLIENT, **client}, "resources": [resource]}


def posts(**endpoint: Any) -> dict[str, Any]:
    return {"name": "posts", "endpoint": endpoint}


CASES: list[tuple[dict[str, Any], str]] = [
    (config("posts", session="mine"), "key client.session: has no counterpart"),
    (config("posts", auth={"token": "aBc123"}), "key client.auth.token: expected the name of a secret"),
    (
        config("posts", auth={"type": "api_key", "api_key": "api_key", "location": "cookie"}),
        "key client.auth.location: got something else; allowed: 'header' or 'query'",
    ),
    (config("posts", auth={"type": "api_key", "api_key": "aBc123"}), "key client.auth.api_key: expected the name"),
    (
        config(posts(method="POST", data="a=1")),
        "resource posts, key endpoint.data: expected the fields of a form, and no json beside them",
    ),
    (config({"name": "posts", "merge_key": "day"}), "resource posts, key merge_key: has no counterpart"),
    (config({"name": "posts", "schema_contract": "freeze"}), "resource posts, key schema_contract: has no counterpart"),
    (
        config({"name": "posts", "write_disposition": {"disposition": "merge", "strategy": "scd2"}}),
        "resource posts, key write_disposition: the strategy 'scd2' has no counterpart",
    ),
    (
        config({"name": "posts", "columns": {"id": {"data_type": "bigint", "dedup_sort": "desc"}}}),
        "resource posts, key columns.id.dedup_sort: has no counterpart",
    ),
    (config({"name": "posts", "table_name": 5}), "resource posts, key table_name: a table's name cannot be computed"),
    (config(posts(paginator="pages")), "resource posts, key endpoint.paginator: type 'pages' is not known"),
    (
        config(posts(paginator={"type": "page_number", "total_path": None, "stop_after_empty_page": False})),
        "resource posts, key endpoint.paginator: has no end",
    ),
    (
        config(posts(paginator={"type": "offset", "limit": 5, "offset_param": "a", "offset_body_path": "b"})),
        "resource posts, key endpoint.paginator: give offset_param or offset_body_path, not both",
    ),
    (
        config(posts(response_actions=[{"status_code": 200, "action": "ignore"}])),
        "resource posts, key endpoint.response_actions.number 1: ignore needs a status_code of 400 and above",
    ),
    (
        config(posts(response_actions=[{"status_code": 503, "action": "ignore"}])),
        "resource posts, key endpoint.response_actions.number 1: a 503 is temporary",
    ),
    (
        config(posts(params={"since": {"type": "incremental", "cursor_path": "id", "initial_value": 5}})),
        "resource posts, key endpoint.incremental.initial_value: expected a moment, got 5",
    ),
    (
        config(posts(incremental={"cursor_path": "at", "start_param": "since", "convert": "str"})),
        "resource posts, key endpoint.incremental.convert: has no counterpart",
    ),
    (config(posts(path="{team}/posts")), "resource posts, key endpoint: nothing fills {team}"),
    (config(posts(path="{resources.users.id}/posts")), "resource posts, key parent: no resource 'users'"),
    (
        config(posts(params={"of": {"type": "resolve", "resource": "users", "field": "id"}})),
        "resource posts, key endpoint.params: of is resolved, but the path does not contain {of}",
    ),
    (
        config({**posts(path="posts"), "include_from_parent": ["id"]}),
        "resource posts, key include_from_parent: no request of the list refers to a parent",
    ),
    (config(posts(invalid=1)), "resource posts, key endpoint.invalid: unknown key"),
    (
        {
            "name": "api",
            "client": CLIENT,
            "resources": [{"name": "a", "table_name": "t"}, {"name": "b", "table_name": "t"}],
        },
        "key resources: a, b share the table t",
    ),
    (
        {"name": "api", "client": CLIENT, "resources": ["a", "b", posts(path="{resources.a.id}/{resources.b.id}")]},
        "resource posts, key endpoint: refers to two parents, a and b",
    ),
]


@pytest.mark.parametrize(("document", "message"), CASES, ids=lambda value: value[:60] if isinstance(value, str) else "")
def test_what_has_no_counterpart_is_named(document: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_system(document)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("auth", ["api_key", {"type": "api_key", "location": "header"}])
def test_a_secret_that_dlt_would_look_for_is_missed_by_its_variable(auth: Any) -> None:
    (problem,) = missing_secrets(connect(config("posts", auth=auth)))
    assert "SOURCES__API__API_KEY" in problem


def test_a_table_of_another_name_is_the_resource() -> None:
    child = {"name": "comments", "endpoint": "posts/{resources.posts.id}/comments"}
    system = parse_system(
        {"name": "api", "client": CLIENT, "resources": [child, {"name": "posts", "table_name": "Post"}]}
    )
    assert [resource.name for resource in system.resources] == ["post", "comments"]
    assert system.resource("comments").parent.resource == "post"  # type: ignore[union-attr]  # it has one


@pytest.mark.parametrize(
    "name", ["openDeals", "Contact-Lists", "HTTPRequests", "deals.v2", "v2Deals", "All Leads", "a_b"]
)
def test_a_resource_has_the_name_that_dlt_gives_its_table(name: str) -> None:
    (resource,) = parse_system({"name": "api", "client": CLIENT, "resources": [name]}).resources
    assert resource.name == NamingConvention().normalize_identifier(name)


@pytest.mark.parametrize("name", ["a__b", "orders_", "\u00dcnits", "9x"])
def test_names_that_would_be_changed_otherwise_are_refused_as_they_were_written(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_system({"name": "api", "client": CLIENT, "resources": [name]})
    assert name in str(caught.value)


def test_references_follow_the_names_of_tables() -> None:
    deal = {"type": "resolve", "resource": "openDeals", "field": "id"}
    child = {"name": "Deal-Notes", "endpoint": {"path": "deals/{deal}/notes", "params": {"deal": deal}}}
    system = parse_system({"name": "api", "client": CLIENT, "resources": ["openDeals", child]})
    assert [resource.name for resource in system.resources] == ["open_deals", "deal_notes"]
    assert system.resource("open_deals").endpoint.path == "openDeals"
    assert system.resource("deal_notes").parent.resource == "open_deals"  # type: ignore[union-attr]  # it has one
