"""The one place where our SQL becomes a destination's.

Statements are written once, in the words that DuckDB and PostgreSQL share. For every other destination sqlglot writes
them in its dialect, and says so where it cannot.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from crm_assets.warehouse.errors import WarehouseError

_WRITTEN_FOR = "postgres"
"""Dialect to parse our SQL as."""
_AS_WRITTEN = frozenset({"duckdb", "postgres"})
_PARAMETER = "crm_assets_parameter"
"""Stands for ``%s``, which dlt expects everywhere and sqlglot would write as each dialect's own placeholder."""
_WRITTEN_PARAMETER = re.compile(rf"([\"`]?){_PARAMETER}\1")


@lru_cache(maxsize=512)
def in_dialect(sql: str, dialect: str, casefold: Callable[[str], str] = str) -> str:
    """Return one of our statements in a destination's dialect.

    Args:
        sql: The statement, with ``%s`` for each parameter; its names are lower case, quoted with ``"`` or not at all.
        dialect: sqlglot's name of the dialect.
        casefold: Makes dlt's name of a table or column the destination's, such as ``str.upper``.

    Raises:
        WarehouseError: The dialect has no words for it.
    """
    if dialect in _AS_WRITTEN:
        return sql
    import sqlglot
    from sqlglot.expressions import Identifier

    try:
        statement = sqlglot.parse_one(sql.replace("%s", _PARAMETER), read=_WRITTEN_FOR)
        for name in statement.find_all(Identifier):
            if name.this != _PARAMETER:
                name.replace(Identifier(this=casefold(name.this), quoted=True))
        written = statement.sql(dialect, unsupported_level=sqlglot.ErrorLevel.RAISE)
    except sqlglot.errors.SqlglotError as error:
        raise WarehouseError(f"This statement cannot be written for {dialect} ({error}): {sql}") from error
    return _WRITTEN_PARAMETER.sub("%s", written)
