"""Answers that name the next page: links and cursors, in the body, in a header and in the list itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from crm_assets.declarations import load_connections
from crm_assets.declarations.json_path import dig
from crm_assets.sandbox import Sandbox
from crm_assets_tests.faults import FaultySandbox, serve
from crm_assets_tests.sandbox.conftest import TODAY, World
from crm_assets_tests.sandbox.reader import credentials, decode, send

SYSTEM = """
client:
  base_url: https://api.tracker.test
  auth: {type: bearer}
resource_defaults:
  primary_key: id
  endpoint: {data_selector: data}
  columns: {id: {type: bigint, nullable: false}}
resources:
  - name: pages
    endpoint:
      path: /pages
      paginator: {type: page_number, page_param: "page[number]", limit_param: size, limit: 10, end: no_next_link,
                  next_link_path: links.next}
  - name: rows
    endpoint:
      path: /rows
      paginator: {type: offset, limit_param: size, limit: 10, end: no_next_link, next_link_path: next}
  - name: by_header
    endpoint:
      path: /by_header
      paginator: {type: header_link, links_next_key: following, limit_param: size, limit: 10}
  - name: header_cursors
    endpoint:
      path: /header_cursors
      paginator: {type: header_cursor, cursor_key: X-Next, limit_param: size, limit: 10}
  - name: last_ids
    endpoint:
      path: /last_ids
      paginator: {type: cursor, cursor_path: data.-1.id, cursor_param: after, limit_param: size, limit: 10,
                  end: empty_page}
  - name: repeated
    endpoint:
      path: /repeated
      paginator: {type: json_link, next_url_path: next, limit_param: size, limit: 10, end: repeat}
  - name: flagged
    endpoint:
      path: /flagged
      paginator: {type: cursor, cursor_path: next, cursor_param: after, limit_param: size, limit: 10, end: has_more,
                  has_more_path: more}
  - name: undeclared
    endpoint: {path: /undeclared}
"""


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("linked")
    (folder / "systems").mkdir()
    (folder / "systems" / "linked.yaml").write_text(SYSTEM)
    connections = {"systems": "systems", "connections": [{"name": "linked", "system": "linked"}]}
    (folder / "connections.yaml").write_text(yaml.safe_dump(connections))
    sandbox = FaultySandbox(load_connections(folder / "connections.yaml"), today=TODAY)
    with serve(sandbox) as base_url:
        yield World(sandbox, base_url)


def test_a_page_links_to_the_next_number(linked: World) -> None:
    body = linked.reader("linked", "pages").page(**{"page[number]": 1}).body
    assert body["links"] == {"next": f"{linked.base_url}/linked/pages?size=10&page%5Bnumber%5D=2"}


def test_a_page_links_to_the_next_offset(linked: World) -> None:
    body = linked.reader("linked", "rows").page(offset=10).body
    assert body["next"] == f"{linked.base_url}/linked/rows?size=10&offset=20"


def test_the_last_page_links_nowhere(linked: World) -> None:
    last = len(linked.sandbox.rows("linked", "rows")) - 1
    assert set(linked.reader("linked", "rows").page(offset=last).body) == {"data"}


def test_a_link_header_leads_through_the_whole_list(linked: World) -> None:
    reader = linked.reader("linked", "by_header")
    answer = reader.page()
    read = reader.records(answer)
    while link := answer.headers.get("link"):
        url, relation = link.split("; ")
        assert relation == 'rel="following"'
        answer = send(url.strip("<>"), headers=credentials(linked.connection("linked"))[0])
        read += reader.records(answer)
    assert rows_of(linked, "by_header", read) == linked.sandbox.rows("linked", "by_header")


@pytest.mark.parametrize(
    ("resource", "param", "cursor"),
    [
        ("header_cursors", "cursor", lambda answer: answer.headers.get("x-next")),
        ("last_ids", "after", lambda answer: dig(answer.body, ("data", "-1", "id"))),
        ("flagged", "after", lambda answer: answer.body["next"] if answer.body["more"] else None),
    ],
)
def test_a_cursor_leads_through_the_whole_list(linked: World, resource: str, param: str, cursor: Any) -> None:
    reader = linked.reader("linked", resource)
    answer = reader.page()
    read = reader.records(answer)
    while following := cursor(answer):
        answer = reader.page(**{param: following})
        read += reader.records(answer)
    assert len(read) > 20
    assert rows_of(linked, resource, read) == linked.sandbox.rows("linked", resource)


def test_where_a_repeat_ends_the_list_the_last_page_links_to_itself(linked: World) -> None:
    last = len(linked.sandbox.rows("linked", "repeated")) - 1
    link = linked.reader("linked", "repeated").page(after=f"{last}+/=").body["next"]
    assert link == f"{linked.base_url}/linked/repeated?size=10&after={last}%2B%2F%3D"


def test_a_list_whose_paging_is_not_declared_comes_whole(linked: World) -> None:
    body = linked.reader("linked", "undeclared").ask().body
    assert rows_of(linked, "undeclared", body["data"]) == linked.sandbox.rows("linked", "undeclared")


def test_an_empty_list_names_no_next_page(linked: World) -> None:
    with serve(Sandbox(linked.sandbox.connections.values(), rows=0)) as base_url:
        for resource in ("by_header", "header_cursors", "last_ids", "repeated", "flagged"):
            answer = World(linked.sandbox, base_url).reader("linked", resource).page()
            assert answer.body["data"] == []
            assert not {"link", "x-next"} & answer.headers.keys()


def rows_of(world: World, resource: str, records: list[Any]) -> list[dict[str, Any]]:
    declared = world.connection("linked").system.resource(resource)
    return [decode(declared, record, {}) for record in records]
