"""An OpenAPI document is read to exact rows, and what it does not say is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from crm_assets.declarations import Connection
from crm_assets.declarations.connection_overrides import apply_connection
from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.importers.accepted import accepted
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.importers.openapi.declaration import from_openapi
from crm_assets.declarations.importers.source import import_source
from crm_assets.declarations.loader import parse_system
from crm_assets_tests.dialect.rows import read, records
from crm_assets_tests.dialect.small_api import SmallApi

PERSON = {
    "allOf": [
        {"type": "object", "properties": {"id": {"type": "integer"}}},
        {
            "properties": {
                "name": {"$ref": "#/components/schemas/Name"},
                "owner": {"$ref": "#/components/schemas/Person"},
            }
        },
    ]
}


def listed(at: str, record: Any, **beside: Any) -> dict[str, Any]:
    """Return an operation that answers with a list."""
    schema: dict[str, Any] = {"type": "array", "items": record}
    if at:
        schema = {"type": "object", "properties": {at: schema, **beside}}
    return {"summary": f"List {at}", "responses": {200: {"content": {"application/json": {"schema": schema}}}}}


def query(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def document(url: str) -> dict[str, Any]:
    person, text = {"$ref": "#/components/schemas/Person"}, {"type": "string"}
    paths = {
        "/people": {
            "parameters": [query("page", default=1), query("per_page", maximum=2)],
            "get": listed(
                "people", person, meta={"type": "object", "properties": {"total_pages": {"type": "integer"}}}
            ),
        },
        "/people/{personId}": {"get": {"responses": {"200": {"content": {"application/json": {"schema": person}}}}}},
        "/people/{personId}/notes": {
            "get": {**listed("data", {"properties": {"id": text}}, next_cursor=text), "parameters": [query("cursor")]}
        },
        "/deals": {"get": listed("items", {"properties": {"uuid": text}}, next={"type": "string", "format": "uri"})},
        "/{team}/tags": {
            "get": {
                **listed("", {"type": "object"}),
                "parameters": [{**query("kind", enum=["a", "b"]), "required": True}],
            }
        },
        "/mixed": {"get": listed("ups", person, downs={"type": "array", "items": person})},
        "/jobs": {"post": {}, "get": {"responses": {"200": {"description": "nobody knows"}}}},
    }
    schemes = {"key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}}
    return {
        "openapi": "3.0.3",
        "info": {"title": "People"},
        "servers": [{"url": f"{url}/{{version}}", "variables": {"version": {"default": "v2"}}}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {"securitySchemes": schemes, "schemas": {"Name": text, "Person": PERSON}},
    }


ROUTES: dict[str, Any] = {
    "/v2/people": {
        "rows": 3, "at": "people", "needs": {"headers": {"X-Api-Key": "s3cret"}},
        "paging": {"by": "page", "param": "page", "size_param": "per_page", "facts": {"meta.total_pages": "pages"}},
    },
    **{
        f"/v2/people/{n}/notes": {
            "rows": [{"id": f"{n}{m}"} for m in "abc"], "at": "data",
            "paging": {"by": "cursor", "param": "cursor", "name": "next_cursor"},
        }
        for n in (1, 2, 3)
    },
    "/v2/deals": {
        "rows": [{"uuid": f"d{n}"} for n in range(5)], "at": "items",
        "paging": {"by": "link", "param": "from", "name": "next"},
    },
    "/v2/red/tags": {"rows": [{"tag": "x", "n": 1}], "at": "", "needs": {"query": {"kind": "a"}}},
}  # fmt: skip


def as_swagger(given: dict[str, Any]) -> dict[str, Any]:
    """Return a document of OpenAPI 3 as an older one would be written."""

    def older(value: Any) -> Any:
        if isinstance(value, list):
            return [older(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "in" in value and "schema" in value:
            return {**{key: item for key, item in value.items() if key != "schema"}, **value["schema"]}
        if "content" in value:
            return {"schema": older(value["content"]["application/json"]["schema"])}
        return {key: older(item) for key, item in value.items()}

    text = json.dumps(older(given)).replace("#/components/schemas/", "#/definitions/")
    rest = {key: value for key, value in json.loads(text).items() if key not in ("openapi", "servers", "components")}
    url = urlsplit(given["servers"][0]["url"])
    return {
        **rest,
        "swagger": "2.0",
        "host": url.netloc,
        "basePath": "/v2",
        "schemes": [url.scheme],
        "produces": ["application/json"],
        "definitions": json.loads(text)["components"]["schemas"],
        "securityDefinitions": given["components"]["securitySchemes"],
    }


@pytest.mark.parametrize("version", ["3.0.3", "2.0"])
def test_a_document_is_read_to_exact_rows(version: str, tmp_path: Path) -> None:
    with SmallApi(ROUTES) as api:
        given = document(api.url) if version == "3.0.3" else as_swagger(document(api.url))
        (tmp_path / "people.json").write_text(json.dumps(given))
        imported = import_source(str(tmp_path / "people.json"))
        system = parse_system({"name": "people", **yaml.safe_load(imported.text)})
        entry = {"name": "p", "system": "people", "_system": system, "params": {"team": "red"}}
        readings = read(apply_connection(Connection.model_validate(entry)), {"api_key": "s3cret"}, tmp_path)
        found = {name: records(reading) for name, reading in readings.items()}
    assert [one["id"] for one in found["people"]] == ["1", "2", "3"]
    assert sorted(one["id"] for one in found["notes"]) == [f"{n}{m}" for n in (1, 2, 3) for m in "abc"]
    assert [one["uuid"] for one in found["deals"]] == [f"d{n}" for n in range(5)]
    assert found["tags"] == [{"tag": "x", "n": "1"}]
    said = "\n".join(map(str, imported.notes))
    for part in (
        "assumed: people: paging is derived from the parameter page, counted from 1",
        "assumed: notes: paging is derived from the parameter cursor and next_cursor of the answer",
        "assumed: tags: nothing says how it is paged",
        "assumed: notes: is read for each row of people, by its id",
        "assumed: tags: team in its address is a parameter of the connection",
        "assumed: tags: kind is sent as a",
        "assumed: /people/{personId}: answers with one object and is not read",
        "left out: /mixed: answers with several lists (ups, downs), of which none has a usual name",
        "left out: /jobs: the document does not say what it answers",
    ):
        assert part in said
    assert not imported.complete
    assert system.resource("people").columns["owner"].type.value == "json"


@pytest.mark.parametrize(
    ("scheme", "auth"),
    [
        ({"type": "http", "scheme": "Bearer"}, {"type": "bearer"}),
        ({"type": "http", "scheme": "basic"}, {"type": "basic"}),
        (
            {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/token"}}},
            {"type": "oauth2_client_credentials", "access_token_url": "/token"},
        ),
        ({"type": "apiKey", "in": "cookie", "name": "s"}, {"type": "none"}),
    ],
)
def test_ways_to_log_in(scheme: dict[str, Any], auth: dict[str, Any]) -> None:
    given = document("https://api.example.com")
    given["components"]["securitySchemes"]["key"] = scheme
    assert from_openapi(given, Notes())["client"]["auth"] == auth


def test_what_has_no_list_is_refused() -> None:
    with pytest.raises(SpecError, match="none of its paths answers with a list"):
        from_openapi({"openapi": "3.1.0", "paths": {"/jobs": {"post": {}}}}, Notes())
    with pytest.raises(SpecError, match="another version"):
        from_openapi({"swagger": "1.2"}, Notes())


@pytest.mark.parametrize(
    ("scheme", "auth"),
    [
        ({"type": "basic"}, {"type": "basic"}),
        ({"type": "apiKey", "in": "query", "name": "key"}, {"type": "api_key", "location": "query"}),
        (
            {"type": "oauth2", "flow": "accessCode", "tokenUrl": "https://login.test/token"},
            {"type": "oauth2_refresh_token", "access_token_url": "https://login.test/token"},
        ),
        ({"type": "oauth2", "flow": "implicit"}, {"type": "none"}),
    ],
)
def test_ways_to_log_in_of_an_older_document(scheme: dict[str, Any], auth: dict[str, Any]) -> None:
    given = as_swagger(document("https://api.example.com"))
    given["securityDefinitions"]["key"] = scheme
    assert from_openapi(given, Notes())["client"]["auth"].items() >= auth.items()


def test_a_header_that_carries_a_credential_is_the_log_in() -> None:
    given = document("https://api.example.com")
    del given["security"], given["components"]["securitySchemes"]
    header = {"name": "Authorization", "in": "header", "required": True, "schema": {"type": "string"}}
    given["paths"]["/deals"]["get"]["parameters"] = [header]
    found = from_openapi(given, Notes())
    assert found["client"]["auth"] == {"type": "api_key", "name": "Authorization", "api_key": "api_key"}
    assert not any(resource["endpoint"].get("headers") for resource in found["resources"])


def test_a_parameter_that_is_named_like_a_secret_has_another_name() -> None:
    given = document("https://api.example.com")
    given["components"]["securitySchemes"]["key"] = {"type": "http", "scheme": "basic"}
    needed = {"name": "username", "in": "query", "required": True, "schema": {"type": "string"}}
    given["paths"]["/deals"]["get"]["parameters"] = [needed]
    system = parse_system(accepted({"name": "people", **from_openapi(given, Notes())}, Notes()))
    assert system.resource("deals").endpoint.params == {"username": "{username_value}"}
