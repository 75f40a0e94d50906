"""Numbered pages whose body links to the next one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from crm_assets.declarations import load_connections
from crm_assets.sandbox import serve
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.sandbox.conftest import TODAY, World

SYSTEM = """
client:
  base_url: https://api.tracker.test
  auth: {type: bearer}
resource_defaults: {primary_key: id, columns: {id: {type: bigint, nullable: false}}}
resources:
  - name: pages
    endpoint:
      path: /pages
      data_selector: data
      paginator: {type: page_number, page_param: "page[number]", limit_param: size, limit: 10, end: no_next_link,
                  next_link_path: links.next}
  - name: rows
    endpoint:
      path: /rows
      data_selector: data
      paginator: {type: offset, limit_param: size, limit: 10, end: no_next_link, next_link_path: next}
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
    assert body["links"] == {"next": f"{linked.base_url}/linked/pages?page%5Bnumber%5D=2&size=10"}


def test_a_page_links_to_the_next_offset(linked: World) -> None:
    body = linked.reader("linked", "rows").page(offset=10).body
    assert body["next"] == f"{linked.base_url}/linked/rows?offset=20&size=10"


def test_the_last_page_links_nowhere(linked: World) -> None:
    last = len(linked.sandbox.rows("linked", "rows")) - 1
    assert set(linked.reader("linked", "rows").page(offset=last).body) == {"data"}
