"""Valid configurations of dlt's REST API source mean here what they mean there: both engines deliver the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from crm_assets.declarations import Connection
from crm_assets.declarations.connection_overrides import apply_connection
from crm_assets.declarations.loader import parse_system
from crm_assets.declarations.yaml_reader import SafeLoader
from crm_assets_tests.dialect.rows import ordered, read, records
from crm_assets_tests.dialect.small_api import SmallApi

CASES = yaml.load(Path(__file__).with_name("configurations.yaml").read_text(encoding="utf-8"), SafeLoader)
SECRET = "s3cret-value"


def filled(value: Any, values: dict[str, str]) -> Any:
    """Return a template with its words replaced."""
    if isinstance(value, dict):
        return {key: filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, values) for item in value]
    for word, text in values.items():
        value = value.replace(word, text) if isinstance(value, str) else value
    return value


def by_dlt(config: Any, names: list[str]) -> dict[str, Any]:
    from dlt.sources.rest_api import rest_api_source

    return {name: ordered(rest_api_source(config, name="api").with_resources(name)) for name in names}


def connect(document: dict[str, Any]) -> Connection:
    system = parse_system({"name": "api", **document})
    return apply_connection(Connection.model_validate({"name": "api", "system": "api", "_system": system}))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "_"))
def test_both_engines_deliver_the_same_rows(case: dict[str, Any], tmp_path: Path) -> None:
    with SmallApi(case["api"]) as api:
        connection = connect(filled(case["config"], {"{server}": api.url, "{secret}": 'dlt.secrets["own_secret"]'}))
        secrets = dict.fromkeys(connection.system.client.auth.secrets, SECRET)
        readings = read(connection, secrets, tmp_path)
        names = case.get("reads", list(readings))
        ours = {name: records(readings[name]) for name in names}
        assert any(ours.values())
        assert by_dlt(filled(case["config"], {"{server}": api.url, "{secret}": SECRET}), names) == ours
    warned = " ".join(readings[name].report.assumed for name in names)
    assert case["warns"] in warned if "warns" in case else not warned.strip()


def test_no_two_cases_share_a_name() -> None:
    names = [case["name"] for case in CASES]
    assert len(set(names)) == len(names) >= 80
