"""Seed documents: all five load, and everything that was changed, assumed or left open is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from crm_assets.declarations import ColumnType, SpecError, System
from crm_assets.declarations.importers import ImportedConfig, Repair, import_config
from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.loader import parse_system
from crm_assets.declarations.models.paginator import PageNumber, SinglePage

SEEDS = Path(__file__).parents[1] / "seeds"
RESOURCES = {
    "000": "users contacts tasks pipeline_items notes teams events contact_events",
    "001": "accounts contacts events",
    "002": "appointment_types appointments customer_assets contacts contracts customers estimates invoices items "
    "line_items leads payments products tickets",
    "003": "accounts leads visits",
    "004": "campaigns prospects",
}


def imported(number: str) -> tuple[ImportedConfig, System]:
    found = import_config((SEEDS / f"{number}.txt").read_text(encoding="utf-8"), "crm")
    return found, parse_system(found.document)


def told(found: ImportedConfig, kind: str, key: str) -> Repair:
    """Return the one repair of that kind and key."""
    (repair,) = [repair for repair in found.repairs if (repair.kind, repair.key) == (kind, key)]
    assert repair.what
    assert repair.why
    return repair


@pytest.mark.parametrize("number", RESOURCES)
def test_every_seed_loads(number: str) -> None:
    found, system = imported(number)
    assert [resource.name for resource in system.resources] == RESOURCES[number].split()
    assert yaml.safe_load(found.yaml) == found.document
    for resource in system.resources:
        assert (resource.primary_key, resource.write_disposition, resource.verified) == (("id",), "merge", "inferred")
        assert not resource.columns["id"].nullable
        paginator = resource.endpoint.paginator
        assert isinstance(paginator, SinglePage) or (isinstance(paginator, PageNumber) and paginator.end)


@pytest.mark.parametrize("number", RESOURCES)
def test_every_repair_stands_as_one_line_at_the_top_of_the_yaml(number: str) -> None:
    found, _ = imported(number)
    assert found.yaml.splitlines()[: len(found.repairs)] == [f"# {repair}" for repair in found.repairs]
    assert told(found, "kept", "client.base_url").why.endswith("is an example; each connection sets its own")


def test_eight_requests_that_are_the_same_are_a_question() -> None:
    found, system = imported("000")
    question = told(found, "open", "endpoint.json")
    assert question.resources == tuple(RESOURCES["000"].split())
    assert "json: {Function: …}" in question.what
    assert {(r.endpoint.method, r.endpoint.path, r.endpoint.json_body) for r in system.resources} == {
        ("POST", "/", None)
    }
    assert told(found, "assumed", "paginator").resources == ("teams",)
    assert path_text(system.resource("tasks").endpoint.data_selector) == "Results.*"


def test_a_comment_and_basic_auth_and_resources_the_text_names() -> None:
    found, system = imported("001")
    assert "Additional resources can be added here" in told(found, "changed", "comment").what
    assert told(found, "kept", "client.auth.type").why == "dlt calls it http_basic; the dialect accepts both"
    assert system.client.auth.secrets == ("username", "password")
    assert told(found, "open", "resources").resources == ("products", "pipelines")
    assert told(found, "assumed", "paginator.page_param").resources == ("events",)
    assert told(found, "assumed", "paginator.start_from_page").resources == ("accounts", "contacts", "events")


@pytest.mark.parametrize("number", ["000", "001", "004"])
def test_retries_of_the_text_become_the_rule_of_all_requests(number: str) -> None:
    found, system = imported(number)
    told(found, "changed", "resource_defaults.endpoint.error_handler")
    for resource in system.resources:
        handler = resource.endpoint.error_handler
        assert handler.retry_on_status_codes == (429, 500, 502, 503, 504)
        assert (handler.max_retries, handler.backoff_factor, handler.backoff_constant) == (3, 2, None)


def test_a_text_that_settles_no_retries_gets_the_default() -> None:
    found, system = imported("002")
    told(found, "assumed", "error_handler")
    assert system.resource("tickets").endpoint.error_handler.wait(1) == 2
    assert told(found, "assumed", "columns.id").resources == tuple(RESOURCES["002"].split())
    assert told(found, "assumed", "paginator.end").resources == tuple(RESOURCES["002"].split())


def test_parents_constant_backoff_and_listed_fields() -> None:
    found, system = imported("003")
    for name in ("leads", "visits"):
        parent = system.resource(name).parent
        assert parent is not None
        assert (parent.resource, parent.placeholder) == ("accounts", "account_id")
    assert told(found, "assumed", "parent").what == "{account_id} bound to accounts"
    for resource in system.resources:
        handler = resource.endpoint.error_handler
        assert (handler.retry_on_status_codes, handler.max_retries) == ((429,), 2)
        assert [handler.wait(attempt) for attempt in (1, 2)] == [60, 60]
    assert "doubles" in told(found, "changed", "error_handler.backoff_factor").why
    columns = system.resource("accounts").columns
    assert {name: column.type for name, column in columns.items()} == {
        "id": ColumnType.TEXT,
        "type": ColumnType.TEXT,
        "attributes": ColumnType.JSON,
    }
    assert columns["attributes"].description == "Holds name, on_trial, subscription, subscription_addons, timezone"
    assert not system.resource("leads").columns["last_visit_date"].nullable


def test_selectors_given_as_lists() -> None:
    found, system = imported("004")
    selectors = {r.name: path_text(r.endpoint.data_selector) for r in system.resources}
    assert selectors == {"campaigns": "data.campaigns", "prospects": "data.prospects"}
    changes = [repair for repair in found.repairs if repair.key == "data_selector"]
    assert [(repair.kind, repair.resources) for repair in changes] == [
        ("changed", ("campaigns",)),
        ("changed", ("prospects",)),
    ]
    campaigns, prospects = (system.resource(name).columns for name in selectors)
    assert {name for name, column in campaigns.items() if column.type is ColumnType.BIGINT} == {"id", "owner_id"}
    assert campaigns["stats"].type is ColumnType.JSON
    assert len(prospects) == 22
    assert not {"data", "message", "status"} & set(prospects)
    assert told(found, "changed", "columns.id").resources == ("prospects",)


PLAIN = """
import dlt
from dlt.sources.rest_api import rest_api_source
source = rest_api_source({
    "client": {"base_url": "https://api.mycrm.test//v1", "auth": {"type": "bearer", "token": dlt.secrets["token"]}},
    "resource_defaults": {"primary_key": "id"},  # 'quotes' // here
    "resources": [  // "more" here
        {"name": "deals", "endpoint": {"path": "/deals", "data_selector": "deals", "params": {"n": -5, "x": None}}},
    ],
})
"""


def test_bare_python_and_slashes_inside_texts() -> None:
    found = import_config(PLAIN, "crm")
    system = parse_system(found.document)
    assert system.client.base_url == "https://api.mycrm.test//v1"
    assert system.resource("deals").endpoint.params == {"n": -5}
    assert "more" in told(found, "changed", "comment").what


def test_lines_may_end_as_on_windows() -> None:
    text = (SEEDS / "004.txt").read_text(encoding="utf-8")
    assert import_config(text.replace("\n", "\r\n"), "crm") == import_config(text, "crm")


def test_an_empty_selector_nobody_explains_is_a_question_left_to_the_first_answer() -> None:
    found = import_config(PLAIN.replace('"data_selector": "deals", ', ""), "crm")
    told(found, "open", "data_selector")
    assert parse_system(found.document).resource("deals").endpoint.data_selector is None


def test_a_placeholder_nobody_fills_is_a_question_and_does_not_load() -> None:
    found = import_config(PLAIN.replace('"/deals"', '"/{team}/deals"'), "crm")
    assert told(found, "open", "path").what == "what fills {team}?"
    with pytest.raises(SpecError, match=r"nothing fills \{team\}"):
        parse_system(found.document)


def test_a_handler_that_differs_from_the_text_is_kept_beside_it() -> None:
    handler = '"error_handler": {"max_retries": 1, "backoff_constant": 9}, "path": "/deals"'
    fenced = (
        f"```python\n{PLAIN.replace(chr(34) + 'path' + chr(34) + ': ' + chr(34) + '/deals' + chr(34), handler)}\n```"
    )
    found = import_config(f"{fenced}\n# Error Handling\n- Maximum retries: 4\n- Backoff factor: 3 on 503\n", "crm")
    told(found, "kept", "error_handler")
    rule = parse_system(found.document).resource("deals").endpoint.error_handler
    assert (rule.max_retries, rule.backoff_constant, rule.backoff_factor) == (1, 9, None)
    assert rule.retry_on_status_codes == (503,)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"/deals"', 'open("x").read()', "line 8: open('x').read() is more than a literal; allowed are texts"),
        ('"/deals"', '__import__("os").system("true")', "line 8: __import__('os').system('true') is more than"),
        ('"/deals"', 'f"/{x}"', "line 8: f'/{x}' is more than a literal"),
        ('"/deals"', 'dlt.config["x"]', "line 8: dlt.config['x'] is more than a literal"),
        ('"/deals"', '["x" for x in y]', "line 8: ['x' for x in y] is more than a literal"),
        ('{"n": -5, ', "{**x, ", "line 8: the keys of a dict must be texts, and ** is not allowed"),
        ('"x": None', '"n": None', "line 8: key 'n' is given twice"),
        ('"x": None', "3: None", "line 8: the keys of a dict must be texts"),
        ('"path": "/deals"', '"path" "/deals"', "line 8: is not valid Python: "),
        ("rest_api_source({", "other({", "contains no call of rest_api_source({...})"),
        ("rest_api_source({", "rest_api_source([{", "is not valid Python: "),
        ('"client"', '"klient"', "key config: expected a mapping under client and a list under resources"),
        ('"primary_key": "id"', '"endpoint": "id"', "key resource_defaults: expected a mapping"),
        ('"name": "deals"', '"nam": "deals"', "resource number 1: expected a mapping with name and endpoint"),
        ('"data_selector": "deals"', '"data_selector": "a..b"', "resource number 1, key data_selector: 'a..b' is no"),
        ('"data_selector": "deals"', '"data_selector": [1]', "resource number 1, key data_selector: expected a path"),
    ],
)
def test_what_is_no_seed_is_refused_and_never_run(old: str, new: str, message: str) -> None:
    assert old in PLAIN
    with pytest.raises(SpecError) as error:
        import_config(PLAIN.replace(old, new), "crm")
    text = str(error.value)
    assert message in text
    assert text.startswith("seed of crm")
    assert "\n" not in text


def test_the_dialect_is_light_to_import() -> None:
    code = "import sys, crm_assets.declarations, crm_assets.declarations.importers; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"dlt", "dagster", "aiohttp", "duckdb", "pyarrow", "requests", "urllib3"} & set(loaded)
