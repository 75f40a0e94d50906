"""Vendor profiles: only what differs, laid over the system they extend."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_assets.declarations import ColumnType, SpecError, available_systems, load_system
from crm_assets.declarations.loader import parse_system
from crm_assets.declarations.models.paginator import JsonLink, SinglePage
from crm_assets.declarations.yaml_reader import read_yaml
from crm_assets_tests.declarations.desk import CRM, Desk, without_lines

PROFILE = """
extends: crm
title: Vendor
client: {base_url: https://vendor.test}
rate_limit: {requests: 60}
resource_defaults:
  endpoint: {error_handler: {max_retries: 5}}
resources:
  - name: accounts
    endpoint:
      path: /companies
      paginator: {type: json_link, next_url_path: links.next}
      error_handler: {backoff_factor: null, backoff_constant: 60}
    columns:
      name: {source: attributes.name}
      created_at: null
      id: text
      website: {type: text, pii: null}
  - name: leads
    remove: true
  - name: users
    endpoint: {path: /users, paginator: single_page}
    columns: {id: text}
"""


def test_a_profile_takes_over_all_it_does_not_name(desk: Desk) -> None:
    desk.write("systems/vendor.yaml", PROFILE)
    system = desk.system("vendor")
    assert (system.name, system.base_system, system.title) == ("vendor", "crm", "Vendor")
    assert system.client.base_url == "https://vendor.test"
    assert system.client.auth == desk.system().client.auth
    assert system.rate_limit is not None
    assert system.rate_limit.requests == 60
    assert Path(system.path).name == "vendor.yaml"


def test_resources_are_overridden_removed_and_added(desk: Desk) -> None:
    desk.write("systems/vendor.yaml", PROFILE)
    system = desk.system("vendor")
    assert [resource.name for resource in system.resources] == ["accounts", "users"]
    endpoint = system.resource("accounts").endpoint
    assert (endpoint.path, endpoint.data_selector) == ("/companies", ("data",))
    assert endpoint.paginator == JsonLink(type="json_link", next_url_path=("links", "next"))
    assert system.resource("users").endpoint.paginator == SinglePage(type="single_page")


def test_defaults_of_both_lie_under_and_null_takes_one_away(desk: Desk) -> None:
    desk.write("systems/vendor.yaml", PROFILE)
    accounts, users = (desk.system("vendor").resource(name).endpoint.error_handler for name in ("accounts", "users"))
    assert (accounts.max_retries, accounts.backoff_factor, accounts.backoff_constant) == (5, None, 60)
    assert (users.max_retries, users.backoff_factor, users.backoff_constant) == (5, 2, None)


def test_columns_are_overridden_key_by_key_removed_and_added(desk: Desk) -> None:
    desk.write("systems/vendor.yaml", PROFILE)
    columns = desk.system("vendor").resource("accounts").columns
    assert list(columns) == ["id", "name", "website"]
    assert columns["name"].description == "Name of the account"
    assert columns["name"].wire_path("name") == ("attributes", "name")
    assert (columns["id"].type, columns["id"].nullable) == (ColumnType.TEXT, False)


def test_a_profile_of_a_profile(desk: Desk) -> None:
    desk.write("systems/vendor.yaml", PROFILE)
    desk.write(
        "systems/edition.yaml",
        "extends: vendor\nresource_defaults: {primary_key: id}\nresources:\n"
        "  - {name: accounts, columns: {website: null}}\n  - {name: users, primary_key: [id]}\n",
    )
    system = desk.system("edition")
    assert system.base_system == "crm"
    assert list(system.resource("accounts").columns) == ["id", "name"]
    assert system.resource("accounts").endpoint.error_handler.backoff_constant == 60


def test_the_seed_number_is_not_inherited(desk: Desk) -> None:
    desk.declare(origin="007")
    desk.write("systems/vendor.yaml", PROFILE)
    assert (desk.system().origin, desk.system("vendor").origin) == ("007", None)


def test_extending_changes_no_document(desk: Desk) -> None:
    base = read_yaml(desk.write("base.yaml", CRM)) | {"name": "crm"}
    over = read_yaml(desk.write("over.yaml", PROFILE)) | {"name": "vendor"}
    del over["extends"]
    first = parse_system(base, over)
    assert parse_system(base, over) == first
    assert [resource.name for resource in parse_system(base).resources] == ["accounts", "leads"]


def test_own_declarations_stand_beside_the_package_s(desk: Desk) -> None:
    own = available_systems(desk.folder / "systems")
    assert own["crm"].parent == desk.folder / "systems"
    assert set(available_systems()) <= set(own)


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        (
            "extends: crmm",
            "vendor.yaml, system vendor, key extends: no system 'crmm'; did you mean 'crm'? Known: ",
        ),
        ("extends: vendor", "vendor.yaml, system vendor, key extends: vendor extends itself: vendor → vendor"),
        (
            "extends: crm\nresources: [{name: acounts, remove: true}]",
            (
                "vendor.yaml, system vendor, resource acounts, key remove: nothing to remove: "
                "no resource 'acounts'; did you mean 'accounts'? Known: accounts, leads"
            ),
        ),
        (
            "extends: crm\nresources: [{name: accounts, columns: {nam: null}}]",
            (
                "vendor.yaml, system vendor, resource accounts, key columns: nothing to remove: "
                "no column 'nam'; did you mean 'name'? Known: created_at, id, name"
            ),
        ),
        (
            "extends: crm\nresources: [{name: accounts, remove: 1}]",
            "vendor.yaml, system vendor, resource accounts, key remove: expected true or false",
        ),
        (
            "extends: crm\nresources: [{name: accounts, columns: {id: null}}]",
            "vendor.yaml, system vendor, resource accounts, key primary_key: no column 'id'. Known: created_at, name",
        ),
        (
            "extends: crm\nresources: [{name: accounts, remove: true}]",
            (
                "vendor.yaml, system vendor, resource leads, key endpoint: nothing fills {account_id}. "
                "A parent resource, params, window or incremental would"
            ),
        ),
        (
            "extends: crm\nresources: [{name: accounts}, {name: accounts}]",
            "vendor.yaml, system vendor, key resources: accounts declared more than once",
        ),
        (
            "extends: crm\nname: other",
            "vendor.yaml, system vendor, key name: the file is vendor.yaml, so the name must be vendor",
        ),
        (
            "extends: crm\nresource_defaults: []",
            "vendor.yaml, system vendor, key resource_defaults: expected a mapping",
        ),
    ],
)
def test_bad_profiles(desk: Desk, profile: str, message: str) -> None:
    desk.write("systems/vendor.yaml", profile)
    with pytest.raises(SpecError) as error:
        desk.system("vendor")
    assert without_lines(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_loop_over_two_profiles(desk: Desk) -> None:
    desk.write("systems/one.yaml", "extends: two")
    desk.write("systems/two.yaml", "extends: one")
    with pytest.raises(SpecError, match=r"^one\.yaml:1, system one, key extends: two extends itself: one → two → one$"):
        desk.system("one")


def test_an_unknown_system_is_met_by_the_known_ones(desk: Desk) -> None:
    with pytest.raises(SpecError, match=r"^key system: no system 'crn'; did you mean 'crm'\? Known: .*crm"):
        load_system("crn", desk.folder / "systems")
