"""Connections: accounts at systems, made their own by parameters, columns and a choice of resources."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from crm_assets.declarations import ColumnType, SpecError, load_connections
from crm_assets.declarations.models.simple_auth import ApiKeyAuth
from crm_assets_tests.declarations.desk import Desk, without_lines

WITH_PARAMS: dict[str, Any] = {
    "client__base_url": "https://{subdomain}.mycrm.test/api",
    "client__headers": {"X-Team": "{team}"},
    "client__params": {"team": "{team}", "region": "{region}"},
    "resources__0__endpoint__path": "/{team}/accounts",
    "resources__0__endpoint__params": {"team": "{team}", "only": "{region}", "q": ""},
    "resources__0__endpoint__method": "POST",
    "resources__0__endpoint__json": {"Team": "{team}"},
    "resources__0__window": {
        "field": "created_at",
        "params": {"from": "{window_start}", "team": "{team}"},
        "json": {"To": "{window_end}", "Team": "{team}"},
    },
    "params": {
        "subdomain": {"description": "First part of the account's address", "example": "acme", "pattern": "[a-z0-9-]+"},
        "team": {"description": "Number of the team", "default": 7},
        "region": {"description": "Region, or nothing for all", "default": ""},
    },
}


def test_defaults(desk: Desk) -> None:
    connection = desk.connection()
    assert (connection.start_date, connection.timezone, connection.concurrency) == (date(2024, 1, 1), "UTC", 8)
    assert (connection.base_url, connection.budget, connection.unusable()) == ("https://api.mycrm.test/v1", None, None)
    assert connection.system == desk.system()


def test_parameters_reach_every_request(desk: Desk) -> None:
    desk.declare(**WITH_PARAMS)
    connection = desk.connection(params={"subdomain": "acme", "team": 12})
    assert connection.params == {"subdomain": "acme", "team": 12, "region": ""}
    assert connection.base_url == "https://acme.mycrm.test/api"
    assert connection.system.client.headers == {"X-Team": "12"}
    assert connection.system.client.params == {"team": 12}
    accounts = connection.system.resource("accounts")
    assert accounts.endpoint.path == "/12/accounts"
    assert accounts.endpoint.params == {"team": 12, "q": ""}
    assert accounts.endpoint.json_body == {"Team": 12}
    assert accounts.window is not None
    assert accounts.window.params == {"from": "{window_start}", "team": 12}
    assert accounts.window.json_body == {"To": "{window_end}", "Team": 12}


def test_defaults_of_parameters_hold_and_two_connections_do_not_mix(desk: Desk) -> None:
    desk.declare(**WITH_PARAMS)
    one, two = desk.connect(
        {"name": "one", "system": "crm", "params": {"subdomain": "a"}},
        {"name": "two", "system": "crm", "params": {"subdomain": "b", "region": "eu"}},
    )
    assert (one.base_url, two.base_url) == ("https://a.mycrm.test/api", "https://b.mycrm.test/api")
    assert one.system.client.params == {"team": 7}
    assert two.system.client.params == {"team": 7, "region": "eu"}


def test_a_parameter_may_stand_beside_the_secret(desk: Desk) -> None:
    auth = {"type": "api_key", "api_key": "api_key", "value": "{team}:{api_key}"}
    desk.declare(**WITH_PARAMS, client__auth=auth)
    auth_of_mine = desk.connection(params={"subdomain": "acme"}).system.client.auth
    assert isinstance(auth_of_mine, ApiKeyAuth)
    assert auth_of_mine.value == "7:{api_key}"


def test_an_own_base_url_takes_parameters_too(desk: Desk) -> None:
    desk.declare(**WITH_PARAMS)
    connection = desk.connection(params={"subdomain": "acme"}, base_url="https://{subdomain}.proxy.test/{team}")
    assert connection.base_url == "https://acme.proxy.test/7"


def test_a_parameter_stays_inside_its_segment(desk: Desk) -> None:
    desk.declare(**WITH_PARAMS)
    connection = desk.connection(params={"subdomain": "acme", "team": "a/b?c"})
    assert connection.system.resource("accounts").endpoint.path == "/a%2Fb%3Fc/accounts"


def test_custom_columns_are_added_and_override(desk: Desk) -> None:
    columns = {"accounts": {"vat_id": {"type": "text", "source": "custom.vat"}, "name": "json"}}
    accounts = desk.connection(columns=columns).system.resource("accounts")
    assert list(accounts.columns) == ["id", "name", "created_at", "vat_id"]
    assert accounts.columns["vat_id"].wire_path("vat_id") == ("custom", "vat")
    assert accounts.columns["name"].type is ColumnType.JSON
    assert "vat_id" not in desk.system().resource("accounts").columns


def test_only_the_chosen_resources(desk: Desk) -> None:
    assert [resource.name for resource in desk.connection(resources=["accounts"]).system.resources] == ["accounts"]


def test_a_rate_limit_of_its_own(desk: Desk) -> None:
    desk.declare(rate_limit={"requests": 100})
    one, two = desk.connect(
        {"name": "one", "system": "crm"},
        {"name": "two", "system": "crm", "rate_limit": {"requests": 9, "per": "second"}},
    )
    assert one.budget is not None
    assert two.budget is not None
    assert (one.budget.requests, one.budget.seconds) == (100, 60)
    assert (two.budget.requests, two.budget.seconds) == (9, 1)


def test_a_schedule_may_be_a_cron(desk: Desk) -> None:
    assert desk.connection(schedule="15 4 * * *").schedule.cron == "15 4 * * *"


def test_the_sandbox_takes_every_connection(desk: Desk) -> None:
    desk.declare(client__base_url="https://api.example.com")
    desk.connect({"name": "one", "system": "crm"}, {"name": "two", "system": "crm", "base_url": "https://x"})
    one, two = load_connections(desk.folder / "connections.yaml", sandbox_url="http://127.0.0.1:8123")
    assert (one.base_url, two.base_url) == ("http://127.0.0.1:8123/one", "http://127.0.0.1:8123/two")
    assert (one.unusable(), two.unusable()) == (None, None)


def test_all_schedules_can_be_turned_on(desk: Desk) -> None:
    desk.declare(client__base_url="https://api.example.com")
    (one,) = desk.connect({"name": "one", "system": "crm"})
    assert not one.schedule.enabled
    (one,) = load_connections(desk.folder / "connections.yaml", schedules_on=True)
    assert one.schedule.enabled


def test_a_missing_file_is_named_with_what_to_do(desk: Desk) -> None:
    with pytest.raises(SpecError, match=r"elsewhere\.yaml: file not found; create it, or set CRM_ASSETS_CONNECTIONS"):
        load_connections(desk.folder / "elsewhere.yaml")


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"base_url": "https://api.example.com/v2"}, "still points at the example address https://api.example.com/v2"),
        ({"base_url": "https://EXAMPLE.org"}, "still points at the example address"),
        ({"base_url": "https://crm.invalid/"}, "still points at the example address"),
        ({"base_url": "http://api.mycrm.test"}, "would send its credentials unencrypted to api.mycrm.test"),
        ({"base_url": "http://localhost.mycrm.test"}, "would send its credentials unencrypted"),
        ({"base_url": "ftp://api.mycrm.test", "allow_http": True}, "which is not a web address"),
        ({"base_url": "api.mycrm.test"}, "which is not a web address"),
        ({"base_url": "https://a%2Fb.mycrm.test"}, "which is not a web address"),
        ({"base_url": "https:///v1"}, "which is not a web address"),
    ],
)
def test_what_keeps_a_connection_from_being_read(desk: Desk, entry: dict[str, Any], sentence: str) -> None:
    reason = desk.connection(**entry).unusable()
    assert reason is not None
    assert reason.startswith("Connection mine ")
    assert sentence in reason
    assert "connections file" in reason
    assert "\n" not in reason


@pytest.mark.parametrize(
    "entry",
    [
        {"base_url": "https://notexample.com"},
        {"base_url": "https://api.example.com.mycrm.test"},
        {"base_url": "http://localhost:8000"},
        {"base_url": "http://127.0.0.1:8000/x"},
        {"base_url": "http://[::1]:8000"},
        {"base_url": "http://api.mycrm.test", "allow_http": True},
    ],
)
def test_what_may_be_read(desk: Desk, entry: dict[str, Any]) -> None:
    assert desk.connection(**entry).unusable() is None


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"system": "crmm"},
            "connection mine, key system: no system 'crmm'; did you mean 'crm'? Known: ",
        ),
        ({"system": None}, "connection mine, key system: names no system; set system: to one of the known ones"),
        (
            {"timezones": "UTC"},
            (
                "connection mine, key timezones: unknown key; did you mean 'timezone'? Allowed here: allow_http, "
                "base_url, columns, concurrency, group, history, key_prefix, max_delete_fraction, name, owners, "
                "params, rate_limit, resources, schedule, start_date, system, timezone"
            ),
        ),
        (
            {"timezone": "Europe/Berlinn"},
            "connection mine, key timezone: unknown time zone 'Europe/Berlinn'; did you mean 'Europe/Berlin'?",
        ),
        ({"timezone": "../etc"}, "connection mine, key timezone: unknown time zone '../etc'"),
        ({"start_date": "soon"}, "connection mine, key start_date: expected a date such as 2024-01-31, got 'soon'"),
        ({"concurrency": 0}, "connection mine, key concurrency: expected at least 1, got 0"),
        ({"allow_http": "perhaps"}, "connection mine, key allow_http: expected true or false, got 'perhaps'"),
        ({"owners": ["Support"]}, "connection mine, key owners.number 1: expected an e-mail address or team:<name>"),
        (
            {"key_prefix": ["a/b"]},
            "connection mine, key key_prefix.number 1: expected letters, digits and underscores",
        ),
        ({"group": "my crm"}, "connection mine, key group: expected letters, digits and underscores, got 'my crm'"),
        ({"name": "My CRM"}, "connection My CRM, key name: expected text that matches ^[a-z]"),
        ({"params": {"teem": 1}}, "connection mine, key params: no parameter 'teem'; did you mean 'team'? Known: "),
        (
            {"params": {}},
            "connection mine, key params: subdomain is missing: First part of the account's address, such as acme",
        ),
        (
            {"params": {"subdomain": "evil.test/"}},
            (
                "connection mine, key params.subdomain: expected text that matches [a-z0-9-]+, such as acme, "
                "got 'evil.test/'"
            ),
        ),
        (
            {"params": {"subdomain": "acme", "team": "a\nb"}},
            "connection mine, key params.team: expected one line of text, got 'a\\nb'",
        ),
        (
            {"params": {"subdomain": "acme", "team": ".."}},
            "connection mine, key params: '..' cannot be used for {team} in /{team}/accounts",
        ),
        (
            {"params": {"subdomain": "acme", "team": ["a"]}},
            "connection mine, key params.team: expected text, got a list",
        ),
        (
            {"columns": {"acounts": {"x": "text"}}},
            (
                "connection mine, key columns: no resource of crm 'acounts'; did you mean 'accounts'? "
                "Known: accounts, leads"
            ),
        ),
        (
            {"columns": {"accounts": {"x": {"type": "txt"}}}},
            "connection mine, key columns.accounts.x.type: got 'txt'; did you mean 'text'? Allowed: 'text', ",
        ),
        (
            {"columns": {"accounts": {"_misfits": "text"}}},
            "connection mine, key columns.accounts: column name '_misfits' is not allowed",
        ),
        (
            {"columns": {"accounts": {"x": {"type": "text", "source": "{nobody}"}}}},
            "connection mine, resource accounts, key columns.x.source: nothing fills {nobody}",
        ),
        (
            {"resources": ["acounts"]},
            "connection mine, key resources: no resource of crm 'acounts'; did you mean 'accounts'?",
        ),
        (
            {"resources": ["leads"]},
            "connection mine, key resources: leads is read for the rows of accounts; choose that too",
        ),
        ({"resources": "accounts"}, "connection mine, key resources: expected a list, got 'accounts'"),
        (
            {"base_url": "https://me:pw@mycrm.test"},
            "connection mine, key base_url: a base_url must not contain a user or password",
        ),
    ],
)
def test_bad_connections(desk: Desk, entry: dict[str, Any], message: str) -> None:
    desk.declare(**WITH_PARAMS)
    with pytest.raises(SpecError) as error:
        desk.connection(**{"params": {"subdomain": "acme"}, **entry})
    assert without_lines(error.value).startswith(f"connections.yaml, {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "connections: {}",
            "expected a list under connections: and, for your own declarations, a folder under systems:",
        ),
        (
            "conections: []",
            "expected a list under connections: and, for your own declarations, a folder under systems:",
        ),
        ("connections: []\nsystem: x", "expected a list under connections: and, for your own declarations, a folder "),
        ("connections: [mine]", "connection number 1: expected a mapping with name and system"),
        ("connections: [{name: a}]", "connection a, key system: names no system"),
        ("connections: [{system: crm}]\nsystems: systems", "connection number 1, key name: is missing"),
        ("connections: []\nsystems: own", "key systems: expected a folder beside this file, got 'own'"),
        ("connections: []\nconnections: []", "is not valid YAML: key 'connections' is given twice"),
    ],
)
def test_bad_connection_files(desk: Desk, text: str, message: str) -> None:
    separator = ", " if message.startswith(("connection ", "key ")) else ": "
    with pytest.raises(SpecError) as error:
        load_connections(desk.write("connections.yaml", text))
    assert without_lines(error.value).startswith(f"connections.yaml{separator}{message}")
    assert "\n" not in str(error.value)


def test_two_connections_of_one_name(desk: Desk) -> None:
    with pytest.raises(SpecError, match=r"^connections\.yaml: two connections are called mine; give each account its"):
        desk.connect(*[{"name": name, "system": "crm"} for name in ("mine", "mine", "other")])


def test_a_bad_system_is_found_through_its_connection(desk: Desk) -> None:
    desk.declare(resources__0__endpoint__method="PUSH")
    place = r"^crm\.yaml:\d+, system crm, resource accounts, key endpoint\.method: "
    with pytest.raises(SpecError, match=place):
        desk.connection()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("crm_assets", "is a reserved schema name"),
        ("crm_assets_staging_1", "is a reserved schema name"),
        ("pg_catalog", "is a reserved schema name"),
        ("information_schema", "is a reserved schema name"),
        ("main", "is a reserved schema name"),
        ("warehouse", "is a reserved schema name"),
        ("a" * 51, "the name has 51 characters, and a schema's name may have 50"),
    ],
)
def test_names_of_schemas_that_are_not_for_connections(desk: Desk, name: str, problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        desk.connection(name=name)


def test_a_file_that_bears_the_name_of_a_packaged_system_is_refused(desk: Desk) -> None:
    desk.declare("sales_crm")
    with pytest.raises(SpecError, match=r"sales_crm\.yaml: sales_crm is a system of the package; give your file"):
        desk.connection(system="sales_crm")
