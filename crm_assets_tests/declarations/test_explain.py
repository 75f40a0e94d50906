"""Bad declarations: one line each, that names file, system, resource and key, and says what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from crm_assets.declarations import SpecError
from crm_assets.declarations.errors import listed, problems_of
from crm_assets.declarations.names import RESERVED_COLUMNS
from crm_assets_tests.declarations.desk import Desk, without_lines

ENDPOINT = "resources__0__endpoint__"
PAGINATOR = f"{ENDPOINT}paginator"
WINDOW = {"field": "created_at", "params": {"from": "{window_start}", "to": "{window_end}"}}
CURSOR = {"field": "created_at", "params": {"since": "{incremental.start_value}"}}
PAGES = "auto, cursor, header_cursor, header_link, json_link, offset, page_number, single_page"

CASES: list[tuple[dict[str, Any], str]] = [
    # keys
    (
        {"resources__0__colums": {}},
        (
            "resource accounts, key colums: unknown key; did you mean 'columns'? Allowed here: columns, "
            "description, endpoint, evidence, for_each, history, incremental, max_delete_fraction, name, parent, "
            "primary_key, remove, selected, undeclared_fields, verified, window, write_disposition"
        ),
    ),
    (
        {f"{PAGINATOR}__page_parm": "p"},
        "resource accounts, key endpoint.paginator.page_parm: unknown key; did you mean 'page_param'? Allowed here: ",
    ),
    (
        {"resource_default": {}},
        (
            "key resource_default: unknown key; did you mean 'resource_defaults'? Allowed here: client, description, "
            "extends, name, notes, origin, params, rate_limit, resource_defaults, resources, title"
        ),
    ),
    (
        {"resources__0__columns__name__typ": "text"},
        "resource accounts, key columns.name.typ: unknown key; did you mean 'type'?",
    ),
    ({"client": ...}, "key client: is missing"),
    ({"resources": ...}, "key resources: expected a list of resources, each a mapping with a name"),
    ({"resources": []}, "key resources: a system needs at least one resource"),
    ({"resources": [5]}, "key resources: expected a list of resources, each a mapping with a name"),
    # values
    ({f"{ENDPOINT}path": 5}, "resource accounts, key endpoint.path: expected text, got 5"),
    ({f"{ENDPOINT}path": {"a": 1}}, "resource accounts, key endpoint.path: expected text, got a mapping"),
    ({f"{ENDPOINT}params": "x"}, "resource accounts, key endpoint.params: expected a mapping, got 'x'"),
    (
        {f"{ENDPOINT}method": "PUT"},
        "resource accounts, key endpoint.method: got 'PUT'; did you mean 'POST'? Allowed: 'GET' or 'POST'",
    ),
    (
        {"resources__0__columns__name__type": "string"},
        (
            "resource accounts, key columns.name.type: got 'string'; did you mean 'text'? Allowed: 'text', "
            "'bigint', 'double', 'decimal', 'bool', 'timestamp', 'date' or 'json'"
        ),
    ),
    (
        {f"{ENDPOINT}data_selector": "data..items"},
        (
            "resource accounts, key endpoint.data_selector: 'data..items' is not a valid path: "
            "unexpected '.' at position 5"
        ),
    ),
    (
        {f"{ENDPOINT}error_handler__max_retries": "many"},
        "resource accounts, key endpoint.error_handler.max_retries: expected a whole number, got 'many'",
    ),
    (
        {f"{ENDPOINT}error_handler__max_retries": -1},
        "resource accounts, key endpoint.error_handler.max_retries: expected at least 0, got -1",
    ),
    ({"resources__0__name": "9-Accounts"}, "resource 9-Accounts, key name: expected text that matches ^[a-z]"),
    ({"rate_limit": {"requests": 5, "per": "week"}}, "key rate_limit.per: got 'week'; allowed: 'second', 'minute', "),
    # paging that has no end
    (
        {f"{PAGINATOR}__end": "never"},
        (
            "resource accounts, key endpoint.paginator.end: got 'never'; "
            "allowed: 'empty_page', 'short_page', 'total_pages', 'total_records', 'has_more' or 'no_next_link'"
        ),
    ),
    (
        {f"{PAGINATOR}__type": "page_numbers"},
        (
            "resource accounts, key endpoint.paginator: type 'page_numbers' is not known; "
            f"did you mean 'page_number'? Allowed: {PAGES}"
        ),
    ),
    (
        {f"{PAGINATOR}__type": ...},
        f"resource accounts, key endpoint.paginator: needs a type; allowed: {PAGES}",
    ),
    (
        {f"{PAGINATOR}__end": "short_page"},
        "resource accounts, key endpoint.paginator: end: short_page needs limit",
    ),
    (
        {f"{PAGINATOR}__end": "total_pages"},
        "resource accounts, key endpoint.paginator: end: total_pages needs total_pages_path",
    ),
    (
        {f"{PAGINATOR}__end": "has_more"},
        "resource accounts, key endpoint.paginator: end: has_more needs has_more_path",
    ),
    (
        {f"{PAGINATOR}__end": "no_next_link"},
        "resource accounts, key endpoint.paginator: end: no_next_link needs next_link_path",
    ),
    (
        {PAGINATOR: {"type": "json_link", "next_url_path": "next", "limit": 5}},
        "resource accounts, key endpoint.paginator: limit needs limit_param",
    ),
    (
        {f"{PAGINATOR}__page_param": ""},
        "resource accounts, key endpoint.paginator.page_param: expected text of at least 1 characters, got ''",
    ),
    (
        {f"{ENDPOINT}params": {"page": 1}},
        "resource accounts, key endpoint: params sets page, which the paginator counts: every page would be the same",
    ),
    (
        {f"{PAGINATOR}__limit_param": "page"},
        "resource accounts, key endpoint: paginator: page cannot be both the page and limit_param",
    ),
    (
        {f"{PAGINATOR}__location": "json"},
        "resource accounts, key endpoint: a paginator with location: json needs method: POST",
    ),
    # parents and placeholders
    (
        {"resources__1__parent": "acounts"},
        "resource leads, key parent: no resource 'acounts'; did you mean 'accounts'? Known: accounts, leads",
    ),
    (
        {"resources__1__parent": {"resource": "accounts", "field": "key"}},
        "resource leads, key parent: no column of accounts 'key'. Known: created_at, id, name",
    ),
    (
        {"resources__1__endpoint__path": "/accounts/{account_id}/{lead_id}"},
        (
            "resource leads, key parent: two parents: {account_id} of accounts and {lead_id} of leads; a list is "
            "read for the rows of one resource, so let parent: name it and params: fill the other"
        ),
    ),
    (
        {"resources__1__endpoint__path": "/leads/{lead_id}", "resources__1__columns__account_id": ...},
        "resource leads, key parent: the parents form a loop: leads → leads",
    ),
    (
        {"resources__1__parent": "accounts", "resources__1__endpoint__path": "/leads"},
        "resource leads, key parent: no request contains {account_id}, so all parents would get the same list",
    ),
    (
        {"resources__1__endpoint__path": "/accounts/{acount_id}/leads", "resources__1__parent": "accounts"},
        "resource leads, key parent: no request contains {account_id}",
    ),
    (
        {f"{ENDPOINT}path": "/{team}/accounts"},
        "resource accounts, key endpoint: nothing fills {team}. A parent resource, params, window or incremental would",
    ),
    (
        {"params": {"team_id": {"description": "Number"}}, f"{ENDPOINT}params": {"team": "{team_di}"}},
        "resource accounts, key endpoint: nothing fills {team_di}; did you mean 'team_id'?",
    ),
    (
        {"client__base_url": "https://{sub}.mycrm.test"},
        "key client.base_url: nothing fills {sub}. Declare it under params",
    ),
    (
        {"resources__1__columns__account_id": {"type": "text", "source": "{acount_id}"}},
        "resource leads, key columns.account_id.source: nothing fills {acount_id}; did you mean 'account_id'?",
    ),
    # columns and keys
    (
        {"resources__0__columns___extra": "text"},
        (
            "resource accounts, key columns: column name '_extra' is not allowed: use lower_snake_case, and none of "
            f"{listed(RESERVED_COLUMNS)}"
        ),
    ),
    (
        {"resources__0__columns__CreatedAt": "text"},
        "resource accounts, key columns: column name 'CreatedAt' is not allowed: use lower_snake_case",
    ),
    (
        {"resources__0__primary_key": ["id", "nmae"]},
        "resource accounts, key primary_key: no column 'nmae'; did you mean 'name'? Known: created_at, id, name",
    ),
    (
        {"resources__0__primary_key": [], "resources__0__write_disposition": "merge"},
        "resource accounts, key write_disposition: merge needs primary_key; write replace or append without one",
    ),
    (
        {"resources__0__columns__name__source": "emails[*].text"},
        "resource accounts, key columns.name.source: 'emails[*].text' names many values; a column has one",
    ),
    (
        {"resources__0__columns__name__source": 'custom.""'},
        "resource accounts, key columns.name.source: 'custom.\"\"' names a field without a name",
    ),
    # windows, cursors, retries
    (
        {"resources__0__cursor": CURSOR, "resources__0__window": WINDOW},
        "resource accounts, key window: give window or incremental, not both",
    ),
    (
        {"resources__0__window": {**WINDOW, "field": "creatd_at"}},
        "resource accounts, key window.field: no column 'creatd_at'; did you mean 'created_at'?",
    ),
    (
        {"resources__0__window": {"field": "created_at"}},
        "resource accounts, key window: no request contains {window_start}, so every read would return the whole list",
    ),
    (
        {"resources__0__incremental": {"field": "created_at"}},
        (
            "resource accounts, key incremental: no request contains {incremental.start_value}, "
            "so every read would return the whole list"
        ),
    ),
    (
        {"resources__0__incremental": {**CURSOR, "field": "name"}},
        (
            "resource accounts, key incremental.field: name is a text column, and only a timestamp or a date can be "
            "compared with the present; if it contains times, declare it as timestamp "
            "(format: iso, epoch_s or epoch_ms)"
        ),
    ),
    (
        {"resources__0__incremental": {**CURSOR, "field": "id"}},
        "resource accounts, key incremental.field: id is a bigint column",
    ),
    (
        {"resources__0__window": {**WINDOW, "field": "name"}},
        "resource accounts, key window.field: name is a text column",
    ),
    (
        {"resources__0__incremental": {**CURSOR, "format": "YYYY-MM-DD"}},
        (
            "resource accounts, key incremental.format: expected date, iso, local, epoch_s, epoch_ms or a pattern "
            "such as %Y-%m-%d %H:%M:%S, got 'YYYY-MM-DD'"
        ),
    ),
    (
        {"resources__1__parent": {"resource": "accounts", "only_changed": True}},
        "resource leads, key parent: only_changed needs a parent with incremental",
    ),
    (
        {"resources__0__cursor": {**CURSOR, "lookback": "soon"}},
        "resource accounts, key incremental.lookback: expected a duration such as 90s, 15m, 2h or 3d, got 'soon'",
    ),
    (
        {f"{ENDPOINT}error_handler__ignore_status_codes": [404, 429, 503]},
        (
            "resource accounts, key endpoint.error_handler: ignore_status_codes must not contain [429, 503]: a short "
            "read "
            "would look complete; allowed are statuses below 500 other than 429"
        ),
    ),
    (
        {f"{ENDPOINT}error_handler__backoff_constant": 60},
        "resource accounts, key endpoint.error_handler: give backoff_factor or backoff_constant, not both",
    ),
    # authentication
    (
        {"client__auth__type": "digest"},
        "key client.auth: type 'digest' is not known. Allowed: api_key, basic, bearer, combined, http_basic, none, ",
    ),
    ({"client__auth": {"name": "X-Key"}}, "key client.auth.name: unknown key. Allowed here: token, type"),
    (
        {"client__auth": {"type": "api_key", "value": "Token {key}"}},
        "key client.auth: value must contain {api_key}, once, where the secret goes",
    ),
    (
        {"client__auth": {"type": "api_key", "value": "{team}:{api_key}"}},
        "key client.auth.value: nothing fills {team}. Declare it under params",
    ),
    (
        {"params": {"token": {"description": "Token"}}},
        "key params: token is the name of a secret; call the parameter something else",
    ),
    ({"client__headers": {"authorization": "x"}}, "key client.headers: the header authorization carries a credential"),
    (
        {"client__base_url": "https://me:pw@mycrm.test"},
        "key client.base_url: a base_url must not contain a user or password",
    ),
]


@pytest.mark.parametrize(("changes", "message"), CASES, ids=lambda value: value[:60] if isinstance(value, str) else "")
def test_bad_declarations(desk: Desk, changes: dict[str, Any], message: str) -> None:
    desk.declare("bad", **changes)
    with pytest.raises(SpecError) as error:
        desk.system("bad")
    (text, *others) = map(without_lines, problems_of(error.value))
    assert text.startswith(f"bad.yaml, system bad, {message}")
    assert not others or len(others) == 1


@pytest.mark.parametrize(
    "auth",
    [
        {"type": "bearer", "token": "uk_3f9a81Zq77"},
        {"type": "bearer", "token": 3981777},
        {"type": "bearer", "token": ["3981777"]},
        {"type": "bearer", "token": 'dlt.secrets["3981777"]'},
        {"type": "bearer", "token": "a1b2c3981777"},
        {"type": "api_key", "location": "3981777"},
        {"type": "api_key", "name": ["3981777"]},
        {"type": "api_key", "value": "Token 3981777"},
        {"type": "basic", "password": "x" * 30 + "3981777"},
        "3981777",
    ],
)
def test_a_secret_that_stands_in_a_declaration_is_refused_and_not_repeated(desk: Desk, auth: object) -> None:
    desk.declare("bad", client__auth=auth)
    with pytest.raises(SpecError, match=r"^bad\.yaml:\d+, system bad, key client\.auth") as error:
        desk.system("bad")
    assert "81777" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("written", "secrets"),
    [
        ({"type": "basic"}, ("username", "password")),
        ({"type": "http_basic", "username": "dlt.secrets['sources.crm.login']"}, ("login", "password")),
        ({"type": "api_key", "api_key": 'dlt.secrets["api_token"]', "value": "Token {api_token}"}, ("api_token",)),
        ({"type": "bearer", "token": "oauth2_token"}, ("oauth2_token",)),
    ],
)
def test_secrets_are_named(desk: Desk, written: dict[str, str], secrets: tuple[str, ...]) -> None:
    desk.declare("named", client__auth=written)
    assert desk.system("named").client.auth.secrets == secrets
