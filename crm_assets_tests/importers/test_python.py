"""A stranger's Python is executed for its configuration; nothing is requested, and no secret is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from crm_assets.declarations import SpecError
from crm_assets.declarations.importers.source import Imported, import_source
from crm_assets.declarations.loader import parse_system

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
    assert not found.complete
    assert any(note.resources == ("posts", "drafts") for note in found.notes)


def test_a_second_source_is_named_and_one_made_twice_is_one(tmp_path: Path) -> None:
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
    assert [str(note) for note in found.notes] == [
        "lost: another source, at https://api.shop.test; import it by module:object"
    ]


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
        command = [str(Path(sys.executable).with_name("crm-assets")), "import", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ}, check=False)
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


def test_a_value_that_a_generated_source_leaves_open_is_named(tmp_path: Path) -> None:
    lists = [{"name": "posts", "endpoint": {"path": "posts", "params": {"board": "FILL_ME_IN"}}}]
    found = imported(f"rest_api_source({{{CLIENT}}}, 'resources': {lists!r}}})", tmp_path)
    assert not found.complete
    assert [note.resources for note in found.notes] == [("posts",)]
