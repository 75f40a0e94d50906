"""The DuckDB query for pages whose records all fit: one parse, straight into a struct."""

from __future__ import annotations

import json
from string import Template
from typing import Any

from crm_assets.declarations.models.columns import MICROSECONDS, Column, ColumnType
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.column_values import value_of_field
from crm_assets.extract.decode.duckdb_types import DUCKDB, literal, quoted
from crm_assets.extract.decode.request_values import request_value
from crm_assets.extract.decode.wire_tree import WireNode, wire_tree

_FITTING_QUERY = Template("""
SELECT
    ${values}NULL::VARCHAR AS _extra,
    NULL::VARCHAR AS _misfits
FROM (SELECT * EXCLUDE (__page), unnest(from_json(__page, $shape)) AS __record FROM $pages)
""")
_NUMERIC = (ColumnType.DOUBLE, ColumnType.DECIMAL)


def fitting_query(resource: Resource, pages: str, *, marked: bool = False) -> str:
    """Return the query; ``marked`` where numbers of the pages are marked texts (:mod:`digits`).

    It fails with a ``ConversionException`` where a text is not the date or time it looked like; the careful query then
    takes over. For columns ``id`` and ``mail`` it reads::

        SELECT
            __record['id'] AS "id",
            __record['contact']['mail'] AS "mail",
            NULL::VARCHAR AS _extra,
            NULL::VARCHAR AS _misfits
        FROM (SELECT * EXCLUDE (__page),
                  unnest(from_json(__page, '[{"id": "BIGINT", "contact": {"mail": "VARCHAR"}}]')) AS __record
              FROM pages)
    """
    values = []
    for name, column in resource.columns.items():
        field = "__record" + "".join(f"[{literal(segment)}]" for segment in column.wire_path(name))
        value = request_value(resource, column) or value_of_field(
            _unmarked_field(field, column) if marked else field, column
        )
        values.append(f"{value} AS {quoted(name)}")
    shape = literal(json.dumps([_shape(wire_tree(resource), marked) or "JSON"]))
    return _FITTING_QUERY.substitute(values="".join(f"{value},\n    " for value in values), shape=shape, pages=pages)


def _unmarked_field(field: str, column: Column) -> str:
    if column.type is ColumnType.JSON:
        return f"unmarked_json({field}::VARCHAR)"
    return f"unmarked({field})::{DUCKDB[column.type]}" if column.type in _NUMERIC else field


def _shape(node: WireNode, marked: bool) -> dict[str, Any]:
    return {
        name: _shape(part, marked) if part.parts else _duckdb_type(next(iter(part.columns.values())), marked)
        for name, part in node.parts.items()
    }


def _duckdb_type(column: Column, marked: bool) -> str:
    if column.format in MICROSECONDS:
        return "BIGINT"
    as_text = column.type in (ColumnType.TIMESTAMP, ColumnType.DATE) or (marked and column.type in _NUMERIC)
    return "VARCHAR" if as_text else DUCKDB[column.type]
