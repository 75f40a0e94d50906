"""References: a column names the resource whose row it speaks of, and the name leads somewhere."""

from __future__ import annotations

import pytest

from crm_assets.declarations import ColumnType, SpecError, available_systems, load_system
from crm_assets_tests.declarations.desk import Desk

PLACE = "resources__1__columns__account_id__references"


@pytest.mark.parametrize(("reference", "key"), [("accounts", "id"), ("accounts.name", "name")])
def test_a_column_refers_to_a_column(desk: Desk, reference: str, key: str) -> None:
    desk.declare(**{PLACE: reference})
    system = desk.system()
    assert system.references(system.resource("leads")) == (("account_id", (), "accounts", key),)
    assert system.references(system.resource("accounts")) == ()


def test_a_json_column_refers_with_what_is_inside(desk: Desk) -> None:
    desk.declare(resources__1__columns__links={"type": "json", "references": {"owner.id": "accounts", "lead": "leads"}})
    system = desk.system()
    assert system.references(system.resource("leads")) == (
        ("links", ("owner", "id"), "accounts", "id"),
        ("links", ("lead",), "leads", "id"),
    )


def test_a_resource_the_connection_leaves_out_is_not_referred_to(desk: Desk) -> None:
    desk.declare(resources__0__columns__lead_id={"type": "bigint", "references": "leads"})
    system = desk.connection(resources=["accounts"]).system
    assert system.references(system.resource("accounts")) == ()


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("acounts", "no resource 'acounts'; did you mean 'accounts'? Known: accounts, leads"),
        ("accounts.nam", "no column of accounts 'nam'; did you mean 'name'? Known: created_at, id, name"),
        ({"owner": "accounts"}, "only a json column has values inside it, such as owner; name the resource alone"),
        (5, "expected a mapping, got 5"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(desk: Desk, reference: object, problem: str) -> None:
    desk.declare(**{PLACE: reference})
    with pytest.raises(SpecError, match=r"resource leads, key columns\.account_id\.references: ") as error:
        desk.system()
    assert problem in str(error.value)


def test_a_key_of_several_columns_wants_one_named(desk: Desk) -> None:
    desk.declare(resources__0__primary_key=["name", "id"], **{PLACE: "accounts"})
    with pytest.raises(SpecError, match=r"accounts has the key name, id; name one column of it: accounts\.id"):
        desk.system()


def test_packaged_references_have_the_type_of_what_they_refer_to() -> None:
    referring = {}
    for name in available_systems():
        system = load_system(name)
        found = [(resource, each) for resource in system.resources for each in system.references(resource)]
        for resource, each in found:
            kind = resource.columns[each.column].type
            assert kind in (system.resource(each.resource).columns[each.key].type, ColumnType.JSON, ColumnType.TEXT), (
                each
            )
        referring[name] = len(found)
    assert {name for name, count in referring.items() if count == 0} == {"sales_engagement", "smartreach"}
