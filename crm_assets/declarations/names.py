"""Names of columns and tables: those that dlt and every destination keep as they are.

dlt's naming convention ``snake_case`` is the rule: a trailing underscore becomes an ``x``, three underscores become
two, a digit behind two of them gets a third, what is too long is cut and gets a hash. Importing dlt takes a second, so
the rule is written here, and a test compares it with dlt's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from crm_assets.declarations.errors import listed

RESERVED_COLUMNS = frozenset(
    {
        "_extra",
        "_misfits",
        "_read_id",
        "_changed_at",
        "_deleted_at",
        "_first_seen_at",
        "_valid_from",
        "_valid_to",
        "_dlt_load_id",
        "_dlt_id",
    }
)
MAX_LENGTH = 63
"""PostgreSQL's longest identifier, in bytes."""
TABLE_SUFFIXES = ("__rejected", "__current", "__history")
"""What is added to a resource's name for the tables and views beside its own."""
LONGEST_TABLE = MAX_LENGTH - max(map(len, TABLE_SUFFIXES))
"""Characters a resource's name may have."""

_COLUMN_NAME = re.compile(r"_?[a-z](?:[a-z0-9_]*[a-z0-9])?")
"""One leading underscore is allowed: dlt puts it before fields of a parent."""
_Mapping = TypeVar("_Mapping", bound=Mapping[str, Any])


def check_column_names(columns: _Mapping) -> _Mapping:
    """Return the columns if a table can have their names.

    Raises:
        ValueError: One is reserved, or the destination would change, shorten or refuse it.
    """
    for name in columns:
        wrong = _name_problem(name, MAX_LENGTH)
        if wrong is not None:
            reserved = listed(RESERVED_COLUMNS)
            raise ValueError(
                f"column name {name!r} is not allowed{wrong}: use lower_snake_case, and none of {reserved}"
            )
    return columns


def check_table_names(names: Iterable[str]) -> None:
    """Check that tables can have these names, suffixes included.

    Raises:
        ValueError: The destination would change, shorten or refuse one, or it is dlt's name for a nested table.
    """
    for name in names:
        wrong = ", it has two underscores in a row" if "__" in name else _name_problem(name, LONGEST_TABLE)
        wrong = "" if name.startswith("_") else wrong
        if wrong is not None:
            raise ValueError(f"resource name {name!r} is not allowed{wrong}: use lower_snake_case")


def _name_problem(name: str, longest: int) -> str | None:
    """Return why a name is not allowed, as the rest of a sentence, or ``None`` where it is."""
    if len(name) > longest:
        return f", it has {len(name)} characters and a destination would cut it after {longest}"
    if name.endswith("_"):
        return ", the destination would change the underscore at its end"
    if re.search(r"__[_0-9]", name):
        return ", the destination would change its underscores in a row"
    return None if _COLUMN_NAME.fullmatch(name) and name not in RESERVED_COLUMNS else ""
