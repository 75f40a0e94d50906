"""A stranger's Python is executed for its configuration; nothing is requested, and no secret is needed."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from crm_assets.commands.import_source import import_to_file
from crm_assets.declarations import SpecError
from crm_assets.declarations.importers.source import Imported, import_source
from crm_assets.declarations.loader import parse_system
from crm_assets_tests.forks import crm_assets

HEAD = """
import os
import dlt
from dlt.sources.rest_api import RESTAPIConfig, rest_api_resources, rest_api_source
"""
POSTS = '"resources": ["posts"]'
CLIENT = '"client": {"base_url": "https://api.desk.test"'


def document(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text))


CASES = {
    "a literal": f"source = rest_api_source({{{CLIENT}}}, {POSTS}}})",
    "a variable": f"config = {{{CLIENT}}}, {POSTS}}}\nsource = rest_api_source(config)",
    "a variable that nobody passes on": f"config: RESTAPIConfig = {{{CLIENT}}}, {POSTS}}}",
    "a keyword": f"source = rest_api_source(config={{{CLIENT}}}, {POSTS}}})",
    "a function": f"def load():\n    return rest_api_source({{{CLIENT}}}, {POSTS}}})",
    "a source of dlt": f"@dlt.source\ndef desk():\n    yield from rest_api_resources({{{CLIENT}}}, {POSTS}}})",
    "a secret as an argument": (
        "@dlt.source(name='desk')\ndef desk(token: str = dlt.secrets.value):\n"
        f"    return rest_api_resources({{{CLIENT}, 'auth': {{'token': token}}}}, {POSTS}}})"
    ),
    "a secret of dlt": f"rest_api_source({{{CLIENT}, 'auth': {{'token': dlt.secrets['desk.token']}}}}, {POSTS}}})",
    "a secret of the environment": (
        f"rest_api_source({{{CLIENT}, 'auth': {{'token': os.environ['DESK_TOKEN']}}}}, {POSTS}}})"
    ),
    "a text with names": (
        f"host = 'desk'\nrest_api_source({{'client': {{'base_url': f'https://api.{{host}}.test'}}, {POSTS}}})"
    ),
    "what another spreads": f"base = {{{POSTS}}}\nrest_api_source({{{CLIENT}}}, **base}})",
    "a module that is not installed": f"from helpdesk.helpers import clean\nrest_api_source({{{CLIENT}}}, {POSTS}}})",
    "a neighbour that is not there": f"from .settings import PAGE\nrest_api_source({{{CLIENT}}}, {POSTS}}})",
    "a pipeline that runs at once": (
        f"source = rest_api_source({{{CLIENT}}}, {POSTS}}})\np = dlt.pipeline('desk', destination='duckdb')\n"
        "p.run(source)"
    ),
    "a main block": (
        f"def load():\n    dlt.pipeline('desk').run(rest_api_source({{{CLIENT}}}, {POSTS}}}))\n"
        "if __name__ == '__main__':\n    load()"
    ),
    "a copy of dlt's source beside it": (
        f"from rest_api import rest_api_source\nfrom rest_api.auth import BearerTokenAuth\n"
        f"rest_api_source({{{CLIENT}, 'auth': BearerTokenAuth(dlt.secrets['token'])}}, {POSTS}}})"
    ),
    "a function that another one calls with more than names": (
        "@dlt.source\ndef desk(host: str = 'desk'):\n    yield from built({'base': f'https://api.{host}.test'})\n"
        f"def built(settings):\n    return rest_api_resources({{'client': {{'base_url': settings['base']}}, {POSTS}}})"
    ),
    "a loop": f"rest_api_source({{{CLIENT}}}, 'resources': [name for name in ('posts',)]}})",
}


@pytest.mark.parametrize("code", CASES.values(), ids=[name.replace(" ", "_") for name in CASES])
def test_configurations_are_found_however_they_are_made(code: str, tmp_path: Path) -> None:
    path = tmp_path / "desk.py"
    path.write_text(HEAD + code, encoding="utf-8")
    found = import_source(str(path))
    system = parse_system({"name": "desk", **document(found.text)})
    assert [resource.name for resource in system.resources] == ["posts"]
    assert system.client.base_url == "https://api.desk.test"
    assert set(system.client.auth.secrets) <= {"token", "desk_token"}
    assert found.complete


def test_objects_of_dlt_are_what_they_say(tmp_path: Path) -> None:
    code = """
    from dlt.sources.helpers.rest_client.auth import APIKeyAuth
    from dlt.sources.helpers.rest_client.paginators import HeaderLinkPaginator, OffsetPaginator, PageNumberPaginator
    rest_api_source({
        "client": {"base_url": "https://api.desk.test", "auth": APIKeyAuth(name="X-Key", api_key=dlt.secrets["key"])},
        "resources": [
            {"name": "a", "endpoint": {"paginator": PageNumberPaginator(base_page=1, total_path=None)}},
            {"name": "b", "endpoint": {"paginator": OffsetPaginator(limit=5, total_path="total")}},
            {"name": "c", "endpoint": {"paginator": HeaderLinkPaginator(),
                                       "params": {"since": dlt.sources.incremental("at", initial_value="2024-01-01")}}},
        ],
    })
    """
    path = tmp_path / "desk.py"
    path.write_text(HEAD + dedent(code), encoding="utf-8")
    system = parse_system({"name": "desk", **document(import_source(str(path)).text)})
    a, b, c = system.resources
    assert (a.endpoint.paginator.type, b.endpoint.paginator.type) == ("page_number", "offset")
    assert c.endpoint.paginator.type == "header_link"
    assert c.incremental is not None
    assert c.incremental.initial_value == "2024-01-01"
    assert system.client.auth.secrets == ("key",)


def test_a_class_that_only_sets_up_what_it_inherits_is_that(tmp_path: Path) -> None:
    code = f"""
    from dlt.sources.helpers.rest_client.auth import APIKeyAuth, HttpBasicAuth
    from dlt.sources.helpers.rest_client.paginators import HeaderLinkPaginator

    class Older(HeaderLinkPaginator):
        def __init__(self):
            super().__init__(links_next_key="older")

    class Signed(APIKeyAuth):
        def __call__(self, request):
            return request

    rest_api_source({{{CLIENT}, "auth": APIKeyAuth()}}, "resources": [
        {{"name": "a", "endpoint": {{"paginator": Older(), "auth": HttpBasicAuth("", "token")}}}},
        {{"name": "b", "endpoint": {{"paginator": "single_page", "auth": Signed(api_key="x")}}}},
    ]}})
    """
    found = imported(code, tmp_path)
    system = parse_system({"name": "desk", **document(found.text)})
    a, b = system.resources
    assert a.endpoint.paginator.model_dump()["links_next_key"] == "older"
    assert a.endpoint.auth is not None
    assert (system.client.auth.secrets, a.endpoint.auth.secrets, b.endpoint.auth) == (("api_key",), ("password",), None)
    assert [str(note) for note in found.notes if note.kind == "lost"] == ["lost: b: endpoint.auth is code (Signed)"]


def imported(code: str, folder: Path) -> Imported:
    path = folder / "desk.py"
    path.write_text(HEAD + dedent(code), encoding="utf-8")
    return import_source(str(path))


def test_defaults_are_part_of_each_list(tmp_path: Path) -> None:
    defaults = {
        "primary_key": "id",
        "write_disposition": "merge",
        "endpoint": {
            "params": {"limit": 50},
            "data_selector": "data",
            "paginator": {"type": "cursor", "cursor_path": "next", "cursor_param": "after"},
        },
    }
    found = imported(f"rest_api_source({{{CLIENT}}}, 'resource_defaults': {defaults!r}, {POSTS}}})", tmp_path)
    (posts,) = parse_system({"name": "desk", **document(found.text)}).resources
    assert posts.primary_key == ("id",)
    assert (posts.endpoint.params, posts.endpoint.data_selector) == ({"limit": 50}, ("data",))
    assert posts.endpoint.paginator.type == "cursor"


def test_lists_that_share_a_table_have_their_own(tmp_path: Path) -> None:
    lists = [{"name": name, "table_name": "post", "endpoint": {"path": name}} for name in ("posts", "drafts")]
    found = imported(f"rest_api_source({{{CLIENT}}}, 'resources': {lists!r}}})", tmp_path)
    system = parse_system({"name": "desk", **document(found.text)})
    assert [resource.name for resource in system.resources] == ["posts", "drafts"]
    assert found.complete
    assert any(note.resources == ("posts", "drafts") for note in found.notes)


def test_a_source_made_twice_is_one_and_that_of_another_api_is_a_declaration_of_its_own(tmp_path: Path) -> None:
    code = f"""
    @dlt.source
    def desk(token: str = dlt.secrets.value):
        yield from rest_api_resources({{{CLIENT}}}, {POSTS}}})
    def load():
        dlt.pipeline("desk").run(desk())
    def load_further():
        dlt.pipeline("shop").run(rest_api_source({{"client": {{"base_url": "https://api.shop.test"}}, {POSTS}}}))
    """
    found = imported(code, tmp_path)
    assert document(found.text)["client"]["base_url"] == "https://api.desk.test"
    ((name, other),) = found.further
    assert (name, document(other.text)["client"]["base_url"]) == ("desk_shop", "https://api.shop.test")
    assert found.complete
    assert other.complete
    assert import_to_file(str(tmp_path / "desk.py"), "desk", tmp_path / "desk.yaml")
    assert "api.shop.test" in (tmp_path / "desk_shop.yaml").read_text(encoding="utf-8")
    only = import_source(f"{tmp_path / 'desk.py'}:load_further")
    assert (document(only.text)["client"]["base_url"], only.further) == ("https://api.shop.test", ())


def test_a_neighbour_of_its_package_is_read(tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text("LISTS = ['posts', 'drafts']", encoding="utf-8")
    folder = tmp_path / "rest"
    folder.mkdir()
    code = f"from ..settings import LISTS\nrest_api_source({{{CLIENT}}}, 'resources': LISTS}})"
    assert [one["name"] for one in document(imported(code, folder).text)["resources"]] == ["posts", "drafts"]


def test_an_empty_path_of_the_total_is_none(tmp_path: Path) -> None:
    pages = {"type": "page_number", "page_param": "page", "total_path": "", "maximum_page": 20}
    found = imported(f"rest_api_source({{{CLIENT}, 'paginator': {pages!r}}}, {POSTS}}})", tmp_path)
    paginator = document(found.text)["resources"][0]["endpoint"]["paginator"]
    assert (paginator["end"], paginator["max_pages"]) == ("empty_page", 20)


def test_code_is_lost_and_named(tmp_path: Path) -> None:
    resource = "{'name': 'posts', 'processing_steps': [{'filter': print}]}"
    code = f"rest_api_source({{{CLIENT}}}, 'resources': [{resource}]}})"
    path = tmp_path / "desk.py"
    path.write_text(HEAD + code, encoding="utf-8")
    found = import_source(str(path))
    assert not found.complete
    assert any("processing_steps" in str(note) for note in found.notes)


def test_a_literal_secret_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "desk.py"
    path.write_text(
        HEAD + f"rest_api_source({{{CLIENT}, 'auth': {{'token': 'aBc-123-xyz'}}}}, {POSTS}}})", encoding="utf-8"
    )
    found = import_source(str(path))
    assert "aBc-123-xyz" not in found.text + "".join(map(str, found.notes))
    assert parse_system({"name": "desk", **document(found.text)}).client.auth.secrets == ("token",)


def test_nothing_is_requested(tmp_path: Path) -> None:
    code = (
        f"import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9')\nrest_api_source({{{CLIENT}}}, {POSTS}}})"
    )
    path = tmp_path / "desk.py"
    path.write_text(HEAD + code, encoding="utf-8")
    with pytest.raises(SpecError, match="nothing is requested while a configuration is read"):
        import_source(str(path))


def test_the_command_ends_with_what_became_of_it(tmp_path: Path) -> None:
    whole = f"{{{CLIENT}}}, {POSTS}}}"
    lossy = f"{{{CLIENT}}}, 'resources': [{{'name': 'posts', 'processing_steps': [{{'filter': print}}]}}]}}"
    for content, code in ((whole, 0), (lossy, 3), ("{}", 1)):
        path = tmp_path / "desk.py"
        path.write_text(f"{HEAD}rest_api_source({content})", encoding="utf-8")
        done = crm_assets(["import", str(path)], folder=tmp_path, environment=os.environ)
        assert done.returncode == code, done.stderr
        assert (code == 1) == (not done.stdout.strip())


def test_a_name_too_long_for_a_table_is_cut_and_its_children_follow(tmp_path: Path) -> None:
    long = "posts_" * 9 + "all"
    child = {"name": "replies", "endpoint": {"path": f"posts/{{resources.{long}.id}}/replies"}}
    lists = [{"name": long, "endpoint": {"path": "posts"}}, child]
    found = imported(f"rest_api_source({{{CLIENT}}}, 'resources': {lists!r}}})", tmp_path)
    posts, replies = document(found.text)["resources"]
    assert len(posts["name"]) <= 53
    assert replies["parent"]["resource"] == posts["name"]
    assert any(posts["name"] in str(note) for note in found.notes)


def test_values_that_a_generated_source_leaves_open_are_parameters_of_the_connection(tmp_path: Path) -> None:
    members = {"path": "boards/{id}/members", "params": {"id": "FILL_ME_IN", "kind": "FILL_ME_IN"}}
    lists = [{"name": "members", "endpoint": members}, {"name": "cards", "endpoint": {"path": "boards/{board}/cards"}}]
    found = imported(f"rest_api_source({{{CLIENT}}}, 'resources': {lists!r}}})", tmp_path)
    system = parse_system({"name": "desk", **document(found.text)})
    assert [resource.endpoint.path for resource in system.resources] == [
        "boards/{board_id}/members",
        "boards/{board}/cards",
    ]
    assert system.resource("members").endpoint.params == {"kind": "{members_kind}"}
    assert {name: param.default for name, param in system.params.items()} == dict.fromkeys(
        ("board_id", "members_kind", "board"), "FILL_ME_IN"
    )
    assert found.complete
    assert {name for note in found.notes for name in note.resources} == {"members", "cards"}


def test_what_the_pipeline_is_given_is_a_parameter_or_a_secret_wherever_it_is_sent(tmp_path: Path) -> None:
    code = """
    @dlt.source
    def desk(account: str = dlt.config.value, key: str = dlt.secrets.value, since: str = dlt.config.value):
        settings = dlt.secrets.get("sources.desk")
        yield from rest_api_resources({
            "client": {"base_url": "https://api.desk.test", "headers": {"X-Tenant": dlt.config["desk.tenant"]},
                       "auth": {"token": settings["token"]}},
            "resource_defaults": {"primary_key": "id", "write_disposition": "merge",
                                  "endpoint": {"params": {"signature": f"v1 {key}"}}},
            "resources": [
                {"name": "posts", "endpoint": {"path": f"{account}/posts", "incremental": {
                    "cursor_path": "changed_at", "start_param": "since", "initial_value": since}}},
                {"name": "events", "endpoint": {"params": {"after": {
                    "type": "incremental", "cursor_path": "at", "initial_value": "2024-01-01T00:00:00Z",
                    "convert": lambda text: 1704067200}}}},
            ],
        })
    """
    found = imported(code, tmp_path)
    system = parse_system({"name": "desk", **document(found.text)})
    posts, events = system.resources
    assert found.complete
    assert "dlt." not in "".join(line for line in found.text.splitlines() if not line.startswith("#"))
    assert (posts.endpoint.path, system.client.headers) == ("{account}/posts", {"X-Tenant": "{tenant}"})
    assert {*system.params} == {"account", "tenant"}
    assert system.secrets == ("token", "key")
    signed = document(found.text)["resources"][0]["endpoint"]["auth"][1]
    assert signed == {
        "type": "api_key",
        "name": "signature",
        "api_key": "key",
        "location": "query",
        "value": "v1 {key}",
    }
    assert posts.incremental is not None
    assert events.incremental is not None
    assert posts.incremental.initial_value == "{start_date}"
    assert (events.incremental.format, events.incremental.initial_value) == ("epoch_s", 1704067200)


def test_what_is_computed_from_the_time_or_a_secret_is_never_frozen_in_silence(tmp_path: Path) -> None:
    code = """
    import hashlib
    from datetime import datetime, timedelta
    def desk(key: str = dlt.secrets.value):
        stamp = datetime.now().isoformat()
        return rest_api_source({
            "client": {"base_url": "https://api.desk.test"},
            "resources": [
                {"name": "posts", "endpoint": {"params": {
                    "ts": stamp, "hash": hashlib.md5(f"{stamp}{key}".encode()).hexdigest(), "size": 5}}},
                {"name": "events", "endpoint": {"incremental": {"cursor_path": "at", "start_param": "since",
                    "initial_value": (datetime.now() - timedelta(days=30)).strftime("%Y-%m-%d")}}},
            ],
        })
    """
    found = imported(code, tmp_path)
    posts, events = parse_system({"name": "desk", **document(found.text)}).resources
    assert posts.endpoint.params == {"size": 5}
    assert [(note.kind, note.resources) for note in found.notes] == [
        ("lost", ("posts",)),
        ("lost", ("posts",)),
        ("assumed", ("events",)),
    ]
    assert events.incremental is not None
    assert not found.complete


VENDORED = """
from dataclasses import dataclass
from shop.imports.rest_source import rest_api_resource
from shop.imports.rest_source.paginators import BasePaginator
from shop.desk.settings import LISTS

class Paginator(BasePaginator):
    def __init__(self, size):
        super().__init__()
        self.size, self.offset = size, 0
    def init_request(self, request):
        request.json = {**(request.json or {}), "offset": self.offset, "limit": self.size}
    def update_state(self, response, data=None):
        self._has_next_page = len(response.json().get("data", [])) >= self.size
    def update_request(self, request):
        self.offset += self.size
        self.init_request(request)

def clean(record):
    return {**record, "name": record["name"].strip()}

def one(name):
    return {"name": name, "endpoint": {"path": LISTS[name], "method": "POST", "data_selector": "data",
                                       "paginator": Paginator(50)}}

def desk(endpoint: str, team: int, token: str | None = None):
    if not token:
        raise ValueError("a token is needed")
    config = {"client": {"base_url": "https://api.desk.test", "auth": {"token": token}}, "resources": [one(endpoint)]}
    return rest_api_resource(config, team).add_map(clean)
"""


def test_a_function_that_makes_one_list_at_a_time_is_asked_for_each(tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    folder.mkdir()
    (folder / "settings.py").write_text("LISTS = {'posts': 'v2/posts', 'drafts': 'v2/drafts'}", encoding="utf-8")
    path = folder / "source.py"
    path.write_text(VENDORED, encoding="utf-8")
    found = import_source(str(path))
    system = parse_system({"name": "desk", **document(found.text)})
    assert [resource.endpoint.path for resource in system.resources] == ["v2/posts", "v2/drafts"]
    paginator = document(found.text)["resources"][0]["endpoint"]["paginator"]
    assert paginator == {
        "type": "offset",
        "offset_param": "offset",
        "start_offset": 0,
        "limit": 50,
        "limit_param": "limit",
        "end": "short_page",
        "location": "json",
    }
    assert system.secrets == ("token",)
    assert found.complete
    assert sum("clean" in str(note) or "Paginator" in str(note) for note in found.notes) == 2


def test_a_key_that_code_makes_is_lost_and_a_filter_is_learned(tmp_path: Path) -> None:
    steps = "[{'map': lambda row: {**row, 'id': hash(str(row))}}]"
    kept = "[{'filter': lambda row: not row['removed']}]"
    lists = (
        f"[{{'name': 'posts', 'primary_key': 'id', 'processing_steps': {steps}}}, "
        f"{{'name': 'drafts', 'processing_steps': {kept}}}]"
    )
    found = imported(f"rest_api_source({{{CLIENT}}}, 'resources': {lists}}})", tmp_path)
    assert [note.resources for note in found.notes if note.kind == "lost"] == [("posts",)]
    drafts = document(found.text)["resources"][1]["endpoint"]
    assert drafts["record_filter"] == [{"field": "removed", "in": [None, False, 0, ""]}]
