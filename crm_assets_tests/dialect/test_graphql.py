"""GraphQL: a query and a connection are a body and its paging."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from crm_assets.commands.export_dlt import rest_api_config
from crm_assets.declarations import load_connections
from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.loader import parse_system
from crm_assets_tests.dialect.rows import read, records
from crm_assets_tests.dialect.small_api import SmallApi
from crm_assets_tests.dialect.test_configurations import connect
from crm_assets_tests.faults import FaultySandbox, serve

QUERY = """
query ($first: Int, $after: String) {  # {id} in a comment
  tickets(first: $first, after: $after, team: "{team}") { nodes {id} pageInfo{hasNextPage endCursor} }
}
"""
EDGES = "query($n: Int, $at: String){a{b(first:$n,after:$at){edges{node{id}}pageInfo{hasNextPage endCursor}}}}"


def document(url: str = "https://api.example.com", **graphql: Any) -> dict[str, Any]:
    given = {"variables": {"first": 2}, **graphql}
    resource = {
        "name": "tickets",
        "primary_key": "id",
        "columns": {"id": {"type": "bigint", "nullable": False}},
        "endpoint": {"path": "/graphql", "graphql": given},
    }
    params = {"team": {"description": "The team", "default": "red"}}
    return {"client": {"base_url": url}, "params": params, "resources": [resource]}


def paging(at: str) -> dict[str, Any]:
    return {"by": "cursor", "in": "body", "size_param": "variables.first", "name": f"{at}.pageInfo.endCursor"}


def test_a_connection_is_read_to_its_last_page(tmp_path: Path) -> None:
    at = "data.tickets"
    pages = {
        **paging(at),
        "param": "variables.after",
        "always": "same",
        "facts": {f"{at}.pageInfo.hasNextPage": "more"},
    }
    with SmallApi({"/graphql": {"method": "POST", "rows": 5, "at": f"{at}.nodes", "paging": pages}}) as api:
        connection = connect(document(api.url, query=QUERY, connection="tickets"))
        reading = read(connection, {}, tmp_path)["tickets"]
        assert records(reading) == [{"id": str(n), "name": f"row {n}"} for n in range(1, 6)]
        sent = [asked.body for asked in api.asked]
    assert [body["variables"].get("after", "first") for body in sent] == ["first", "Mg==", "NA=="]
    assert 'team: "red"' in sent[0]["query"]
    assert "{ id}" in sent[0]["query"]


def test_edges_hold_their_records_in_nodes() -> None:
    (resource,) = parse_system(
        {"name": "api", **document(query=EDGES, connection="a.b", cursor_variable="at")}
    ).resources
    endpoint = resource.endpoint
    assert (endpoint.data_selector, endpoint.unwrap) == (("data", "a", "b", "edges"), "node")
    assert endpoint.paginator.model_dump()["cursor_param"] == "variables.at"


def test_errors_beside_data_are_an_error(tmp_path: Path) -> None:
    answer = {"data": {"tickets": None}, "errors": [{"message": "no such team"}]}
    with SmallApi({"/graphql": {"method": "POST", "body": answer}}) as api:
        reading = read(connect(document(api.url, query=QUERY, connection="tickets")), {}, tmp_path)["tickets"]
    assert reading.staged is None
    assert "no such team" in reading.report.reason


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "give query or query_file"),
        ({"query": "{a}", "query_file": "a.graphql"}, "give query or query_file"),
        ({"query_file": "a.graphql"}, "query_file needs a declaration that is in a file"),
        ({"query": "{a}", "qery": 1}, "did you mean 'query'"),
        ({"query": "{ tickets { nodes { id } } }", "connection": "tickets"}, "the query has no hasNextPage"),
        ({"query": QUERY, "connection": "tickets", "cursor_variable": "x"}, "the query has no $x"),
    ],
)
def test_what_paging_needs_has_to_be_there(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError, match="graphql") as error:
        parse_system({"name": "api", **document(**given)})
    assert problem in str(error.value)


def test_a_query_file_is_served_by_the_sandbox_and_known_to_dlt(tmp_path: Path) -> None:
    (tmp_path / "systems").mkdir()
    (tmp_path / "systems" / "own_desk.yaml").write_text(
        yaml.safe_dump(document(query_file="tickets.graphql", connection="tickets"))
    )
    (tmp_path / "systems" / "tickets.graphql").write_text(QUERY)
    file = tmp_path / "connections.yaml"
    file.write_text(yaml.safe_dump({"systems": "systems", "connections": [{"name": "desk", "system": "own_desk"}]}))
    (connection,) = load_connections(file)
    assert (
        rest_api_config(connection, {})["resources"][0]["endpoint"]["paginator"]["cursor_body_path"]
        == "variables.after"
    )
    sandbox = FaultySandbox([connection])
    with serve(sandbox) as url:
        reading = read(connection.at(f"{url}/desk"), {}, tmp_path)["tickets"]
    assert [one["id"] for one in records(reading)] == sorted(str(row["id"]) for row in sandbox.rows("desk", "tickets"))
    assert reading.report.pages > 2
