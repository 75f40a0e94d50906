"""Names that are allowed are names that dlt keeps: its own naming convention is the oracle."""

from __future__ import annotations

import pytest
from dlt.common.normalizers.naming.snake_case import NamingConvention
from hypothesis import given
from hypothesis import strategies as st

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.names import MAX_LENGTH, TABLE_SUFFIXES, check_column_names, check_table_names

_DLT = NamingConvention(MAX_LENGTH)
_NAMES = st.text("abz_09A-ä .", min_size=1, max_size=8) | st.text("ab_1", min_size=50, max_size=70)


@given(_NAMES)
def test_dlt_keeps_the_names_of_columns_that_are_allowed(name: str) -> None:
    try:
        check_column_names({name: None})
    except ValueError:
        return
    assert _DLT.normalize_path(name) == name


@given(_NAMES)
def test_dlt_keeps_the_names_of_tables_that_are_allowed(name: str) -> None:
    try:
        check_table_names([name])
    except ValueError:
        return
    for suffix in ("", *TABLE_SUFFIXES):
        assert _DLT.normalize_tables_path(name + suffix) == name + suffix


@pytest.mark.parametrize("name", ["a", "_lists_id", "select", "a__b", "a1", "x" * 63])
def test_names_of_columns_that_work_are_allowed(name: str) -> None:
    assert check_column_names({name: 1}) == {name: 1}


@pytest.mark.parametrize("name", ["type_", "order_2_", "a___b", "a__1", "x" * 64, "_", "__a", "_extra", "Name", "1st"])
def test_names_of_columns_that_would_change_are_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"column name '{name}' is not allowed"):
        check_column_names({name: 1})


@pytest.mark.parametrize("name", ["deals_", "a__b", "_deals", "x" * 54, "Deals"])
def test_names_of_resources_that_would_change_are_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"resource name '{name}' is not allowed"):
        check_table_names(["deals", name])


_CONNECTIONS = next(one.pattern for one in Connection.model_fields["name"].metadata if hasattr(one, "pattern"))


@given(st.from_regex(_CONNECTIONS, fullmatch=True, alphabet="abz059_"))
def test_dlt_keeps_the_names_of_connections_so_no_two_share_a_schema(name: str) -> None:
    assert _DLT.normalize_identifier(name[:50].rstrip("_")) == name[:50].rstrip("_")
