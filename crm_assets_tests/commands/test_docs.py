"""The pages people read: fresh, whole, and true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from crm_assets.commands.reference_docs import pages as docs
from crm_assets.declarations.connections import load_connections
from crm_assets.declarations.loader import available_systems, load_system, parse_system
from crm_assets.declarations.models.auth import CombinedAuth
from crm_assets.declarations.models.columns import Column, ColumnType
from crm_assets.declarations.models.connection import Connection, Schedule
from crm_assets.declarations.models.endpoint import Endpoint, ErrorHandler, Include, ResponseAction, WaitFrom
from crm_assets.declarations.models.incremental import Incremental, Window
from crm_assets.declarations.models.paginator import (
    CursorPage,
    HeaderCursor,
    HeaderLink,
    JsonLink,
    Offset,
    PageNumber,
    SinglePage,
)
from crm_assets.declarations.models.resource import Parent, Resource
from crm_assets.declarations.models.simple_auth import ApiKeyAuth, BasicAuth, BearerAuth
from crm_assets.declarations.models.system import Client, Param, RateLimit, System
from crm_assets.declarations.models.token_auth import (
    ClientCredentialsAuth,
    LoginRequest,
    PasswordAuth,
    RefreshTokenAuth,
    SessionTokenAuth,
)
from crm_assets.declarations.yaml_reader import read_yaml
from crm_assets.extract.secrets import secret_variable

ROOT = Path(__file__).parents[2]
DIALECT = (ROOT / "docs/dialect.md").read_text(encoding="utf-8")
SYSTEMS = sorted(available_systems())
PAGES = [docs.FOLDER / path.name for path in sorted((ROOT / docs.FOLDER).glob("*.md"))]
BLOCKS = re.findall(r"```yaml (\w+)\n(.*?)```", DIALECT, re.DOTALL)


def block(kind: str) -> str:
    (text,) = [text for found, text in BLOCKS if found == kind]
    return str(text)


def parsed(text: str, folder: Path) -> dict[str, Any]:
    """Return YAML as declarations are read: ``on`` is a word."""
    path = folder / "block.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path)


def page(name: str) -> str:
    """Return a committed page."""
    return (ROOT / docs.FOLDER / f"{name}.md").read_text(encoding="utf-8")


def test_the_committed_pages_are_those_of_the_declarations() -> None:
    assert docs.stale(ROOT) == [], "run `crm-assets docs` and commit docs/systems"


def test_pages_are_written_once_and_old_ones_removed(tmp_path: Path) -> None:
    assert set(docs.write_pages(tmp_path)) == set(docs.generated())
    assert docs.write_pages(tmp_path) == []
    kept, gone = tmp_path / docs.FOLDER / "sales_crm.md", tmp_path / docs.FOLDER / "gone.md"
    kept.write_text("edited", encoding="utf-8")
    gone.write_text("of a system that is no more", encoding="utf-8")
    assert docs.stale(tmp_path) == [docs.FOLDER / "gone.md", docs.FOLDER / "sales_crm.md"]
    docs.write_pages(tmp_path)
    assert not gone.exists()
    assert docs.stale(tmp_path) == []


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_page_has_every_resource_column_and_note(name: str) -> None:
    system, text = load_system(name), page(name)
    parts = re.split(r"^## (\w+)\n", text, flags=re.MULTILINE)
    by_resource = dict(zip(parts[1::2], parts[2::2], strict=True))
    for resource in system.resources:
        rows = re.findall(r"^\| `(\w+)` \| (\w+)", by_resource[resource.name], flags=re.MULTILINE)
        assert rows == [(column, spec.type.value) for column, spec in resource.columns.items()]
        assert f"[{resource.name}](#{resource.name})" in text
    assert [note for note in system.notes if f"- {note}\n" not in text] == []


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_a_page_says_of_connecting_connects(name: str, tmp_path: Path) -> None:
    text = page(name)
    path = tmp_path / "connections.yaml"
    path.write_text(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0], encoding="utf-8")
    (connection,) = load_connections(path)
    assert connection.unusable() is None
    assert [
        secret
        for secret in connection.system.client.auth.secrets
        if f"`{secret_variable(connection, secret)}`" not in text
    ] == []


@pytest.mark.parametrize("path", [*PAGES, Path("docs/dialect.md")], ids=str)
def test_links_lead_somewhere(path: Path) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        file, _, anchor = target.partition("#")
        page = (ROOT / path.parent / file).resolve() if file else ROOT / path
        assert page.exists()
        assert not anchor or anchor in anchors(page), target


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them of plain ones."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_tables_are_whole(path: Path) -> None:
    for rows in _tables((ROOT / path).read_text(encoding="utf-8")):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def _tables(text: str) -> Iterator[list[str]]:
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        yield table.splitlines()


def test_the_index_leads_to_all_pages() -> None:
    index = page("README")
    assert [name for name in SYSTEMS if f"({name}.md) | `{name}`" not in index] == []


def test_words_for_lists_are_those_of_their_declaration() -> None:
    leads = page("leadfeeder")
    assert "`page[number]` from 1, 100 a page (`page[size]`) | no `links.next` | [accounts](#accounts)" in leads
    assert "a day that reaches them fails" in leads
    assert "A list with status 402 is skipped and reported." in leads
    assert "`meta.total_pages` where reported, else an empty page; as many records as `meta.total_entries`" in page(
        "syncro"
    )
    contacts = page("less_annoying_crm")
    assert "A run starts 2 days before the newest loaded `last_update`. The whole list again after 7 days." in contacts
    assert "`HasMoreResults` false" in contacts
    assert "HTTP Basic: `username` and `password`" in page("nutshell")
    assert "| `max_id` from `meta.last`, 500 a page (`limit`) | no new record |" in page("nutshell")


def test_the_dialects_system_account_and_profile_load(tmp_path: Path) -> None:
    (tmp_path / "systems").mkdir()
    for name, kind in (("ticket_desk", "system"), ("acme_desk", "profile")):
        (tmp_path / "systems" / f"{name}.yaml").write_text(block(kind), encoding="utf-8")
    (tmp_path / "connections.yaml").write_text(block("connections"), encoding="utf-8")
    (connection,) = load_connections(tmp_path / "connections.yaml")
    assert secret_variable(connection, "token") == "SOURCES__DESK__TOKEN"
    assert "contract" in connection.system.resource("tickets").columns
    profile = load_system("acme_desk", tmp_path / "systems")
    assert [resource.name for resource in profile.resources] == ["queues", "tickets", "agents"]
    assert profile.resource("queues").endpoint.path == "/boxes"
    assert "tags" not in profile.resource("tickets").columns


@pytest.mark.parametrize(("kind", "text"), BLOCKS, ids=lambda value: " ".join(value.split())[:40])
def test_every_example_of_the_dialect_is_one(kind: str, text: str, tmp_path: Path) -> None:
    example, system = parsed(text, tmp_path), {"name": "ticket_desk", **parsed(block("system"), tmp_path)}
    if kind == "client":
        client = parse_system(system, {"name": "own", "client": example}).client
        declared = example["auth"]
        assert client.auth.type == ("combined" if isinstance(declared, list) else declared["type"])
    elif kind == "endpoint":
        override = {"name": "queues", "endpoint": {"path": "/queues", **example}}
        endpoint = parse_system(system, {"name": "own", "resources": [override]}).resource("queues").endpoint
        assert [
            key for key in example if not getattr(endpoint, {"json": "json_body", "graphql": "json_body"}.get(key, key))
        ] == []
    elif kind == "resource":
        own = parse_system(system, {"name": "own", "resources": [example]}).resource(example["name"])
        assert own.mode == next((mode for mode in ("window", "incremental") if mode in example), "full_refresh")
    else:
        assert kind in ("system", "connections", "profile")


MODELS = (
    ApiKeyAuth, BasicAuth, BearerAuth, Client, ClientCredentialsAuth, Column, CombinedAuth, Connection, CursorPage,
    Endpoint, ErrorHandler, HeaderCursor, HeaderLink, Include, Incremental, JsonLink, LoginRequest, Offset, PageNumber,
    Param, Parent, PasswordAuth, RateLimit, RefreshTokenAuth, Resource, ResponseAction, Schedule, SessionTokenAuth,
    SinglePage, System, WaitFrom, Window,
)  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_the_dialect_has_every_key(model: type[BaseModel]) -> None:
    keys = [field.alias or name for name, field in model.model_fields.items()]
    assert [key for key in keys if key != "_system" and not re.search(rf"\b{key}\b", DIALECT)] == []


def test_the_dialect_has_every_type() -> None:
    assert [kind.value for kind in ColumnType if f"`{kind.value}`" not in DIALECT] == []


def test_every_dependency_has_its_reason() -> None:
    project, _, _ = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[project.scripts]")
    declared = re.findall(r'^(?:    |embedded-elt = \[|postgres = \[)"([\w-]+)', project, re.MULTILINE)
    reasons = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    assert len(declared) > 15
    assert [name for name in declared if not re.search(rf"`{name}(\[\w+\])?`", reasons)] == []
