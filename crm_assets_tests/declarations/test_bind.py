"""Parents: bound by name or by the rule, never two."""

from __future__ import annotations

from typing import Any

import pytest

from crm_assets.declarations import SpecError
from crm_assets.declarations.parents import bound, singular

NAMES = ("accounts", "companies", "boxes", "addresses")


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("accounts", "account"),
        ("companies", "company"),
        ("boxes", "box"),
        ("addresses", "address"),
        ("branches", "branch"),
        ("line_items", "line_item"),
        ("status", "status"),
        ("address", "address"),
        ("staff", "staff"),
        ("invoices", "invoice"),
    ],
)
def test_singular(plural: str, one: str) -> None:
    assert singular(plural) == one


@pytest.mark.parametrize(
    ("resource", "parent"),
    [
        ({"endpoint": {"path": "/a/{account_id}/x"}}, {"resource": "accounts", "placeholder": "account_id"}),
        ({"endpoint": {"params": {"of": "{company_id}"}}}, {"resource": "companies", "placeholder": "company_id"}),
        ({"endpoint": {"json": {"p": {"b": ["{box_id}"]}}}}, {"resource": "boxes", "placeholder": "box_id"}),
        ({"parent": "addresses"}, {"resource": "addresses", "placeholder": "address_id"}),
        (
            {"parent": {"resource": "boxes", "field": "key"}},
            {"resource": "boxes", "field": "key", "placeholder": "box_id"},
        ),
        ({"parent": {"resource": "boxes", "placeholder": "b"}}, {"resource": "boxes", "placeholder": "b"}),
        ({"endpoint": {"path": "/a/{team_id}/x"}}, None),
        ({"endpoint": "/a"}, None),
    ],
)
def test_binding(resource: dict[str, Any], parent: dict[str, str] | None) -> None:
    assert bound(resource, NAMES).get("parent") == parent


def test_a_parameter_of_the_connection_binds_to_no_resource() -> None:
    assert "parent" not in bound({"endpoint": {"path": "/{account_id}"}}, NAMES, params={"account_id"})


def test_two_parents_are_refused() -> None:
    with pytest.raises(SpecError, match=r"two parents: \{account_id\} of accounts and \{box_id\} of boxes"):
        bound({"name": "x", "endpoint": {"path": "/{account_id}/{box_id}"}}, NAMES)
