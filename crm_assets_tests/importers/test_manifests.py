"""Airbyte manifests mean what they mean there: each is made into a declaration and read to exact rows."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from crm_assets.declarations import Connection
from crm_assets.declarations.connection_overrides import apply_connection
from crm_assets.declarations.importers.accepted import accepted, as_yaml
from crm_assets.declarations.importers.airbyte.authentication import airbyte_auth
from crm_assets.declarations.importers.airbyte.expressions import NoCounterpartError
from crm_assets.declarations.importers.airbyte.manifest import declaration
from crm_assets.declarations.importers.airbyte.settings import ManifestSettings
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.loader import parse_system
from crm_assets.declarations.models.base import deep_merge
from crm_assets.declarations.yaml_reader import SafeLoader
from crm_assets_tests.dialect.rows import read
from crm_assets_tests.dialect.small_api import SmallApi
from crm_assets_tests.dialect.test_configurations import filled

CASES = yaml.load(Path(__file__).with_name("manifests.yaml").read_text(encoding="utf-8"), SafeLoader)
SECRET = "s3cret-value"
KEPT = ("_extra", "_misfits", "_read_id", "_deleted_at", "_first_seen_at", "_changed_at")


def stream(name: str, path: str, keys: list[str], server: str) -> dict[str, Any]:
    """Return the smallest stream."""
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": keys,
        "schema_loader": {"type": "InlineSchemaLoader", "schema": schema},
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {"type": "HttpRequester", "url_base": server, "path": path, "http_method": "GET"},
            "record_selector": {"extractor": {"type": "DpathExtractor", "field_path": []}},
        },
    }


def manifest(case: dict[str, Any], server: str) -> dict[str, Any]:
    """Return a case laid over the smallest manifest."""
    case = filled(case, {"{server}": server})
    further = {one["name"]: stream(one["name"], one["path"], one["keys"], server) for one in case.get("streams", ())}
    retriever = {
        "requester": case.get("requester", {}),
        "record_selector": case.get("selector", {}),
        **({"paginator": {"type": "DefaultPaginator", **case["paginator"]}} if "paginator" in case else {}),
        **({"partition_router": _with_streams(case["router"], further)} if "router" in case else {}),
    }
    over = deep_merge({"retriever": retriever}, case.get("stream", {}))
    if "increment" in case:
        over["incremental_sync"] = {"type": "DatetimeBasedCursor", **case["increment"]}
    specification = {"connection_specification": {"properties": case.get("settings", {})}}
    whole = {
        "type": "DeclarativeSource",
        "streams": [*further.values(), deep_merge(stream("posts", "/posts", ["id"], server), over)],
        "spec": specification,
    }
    merged: dict[str, Any] = deep_merge(whole, case.get("manifest", {}))
    return merged


def _with_streams(router: dict[str, Any], streams: dict[str, Any]) -> dict[str, Any]:
    router = deepcopy(router)
    for config in router.get("parent_stream_configs", ()):
        config["stream"] = streams[config["stream"]]
    return router


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "_"))
def test_a_manifest_is_read_to_exact_rows(case: dict[str, Any], tmp_path: Path) -> None:
    with SmallApi(case["api"]) as api:
        notes = Notes()
        document = accepted({"name": "api", **declaration(manifest(case, api.url), notes)}, notes)
        lost = [str(note) for note in notes.all() if note.kind != "assumed"]
        assert len(lost) == case.get("lost", 0), lost
        system = parse_system({"name": "api", **yaml.safe_load(as_yaml(document, notes))})
        entry = {"name": "api", "system": "api", "_system": system, "params": case.get("given", {})}
        entry |= {"base_url": api.url} if "base_url" in case else {}
        connection = apply_connection(Connection.model_validate(entry))
        reading = read(connection, dict.fromkeys(connection.system.secrets, SECRET), tmp_path)[
            case.get("reads", "posts")
        ]
        assert reading.staged is not None, reading.report.reason
        rows = [row for table in reading.staged.tables() for row in table.to_pylist()]
    if "rows" in case:
        found = [{k: v for k, v in row.items() if v is not None and k not in KEPT} for row in rows]
        assert sorted(found, key=json.dumps) == case["rows"]
    else:
        assert sorted(row["id"] for row in rows) == case["ids"]


def test_there_are_many_and_no_two_share_a_name() -> None:
    names = [case["name"] for case in CASES]
    assert len(set(names)) == len(names) >= 60


def session(login: dict[str, Any]) -> dict[str, Any]:
    """Return the log-in that a manifest's login becomes."""
    properties = {name: {"type": "string", "airbyte_secret": True} for name in ("user", "pass", "app")}
    settings = ManifestSettings({"spec": {"connection_specification": {"properties": properties}}}, Notes())
    given = {
        "type": "SessionTokenAuthenticator",
        "session_token_path": ["token"],
        "login_requester": {"url": "https://a.test/login", "http_method": "POST", **login},
    }
    return airbyte_auth(given, settings, Notes())


def test_a_login_sends_all_that_the_manifest_does() -> None:
    app = "{{ config['app'] }}"
    body = {"request_body": {"type": "RequestBodyJsonObject", "value": {"app": app}}}
    assert session({**body, "request_headers": {"X-App": f"v1 {app}"}})["login"] == {
        "url": "https://a.test/login",
        "method": "POST",
        "json": {"app": "{app}"},
        "headers": {"X-App": "v1 {app}"},
    }
    basic = {"type": "BasicHttpAuthenticator", "username": "{{ config['user'] }}", "password": "{{ config['pass'] }}"}
    found = session({"authenticator": basic, "request_body_data": {"grant": app}})
    assert found["login"]["headers"] == {"Authorization": "Basic {login_credentials}"}
    assert found["login_secrets"] == ["app", "login_credentials"]


@pytest.mark.parametrize(
    "login",
    [
        {},
        {"request_body_data": "a={{ config['app'] }}"},
        {"authenticator": {"type": "OAuthAuthenticator"}, "request_parameters": {"app": "{{ config['app'] }}"}},
    ],
)
def test_a_login_that_would_send_less_is_refused(login: dict[str, Any]) -> None:
    with pytest.raises(NoCounterpartError, match="has no counterpart"):
        session(login)
