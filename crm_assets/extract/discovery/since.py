"""Whether a list can be asked for what changed since a moment: tried with one that lies amid the records seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crm_assets.declarations.json_path import Segments, dig
from crm_assets.extract.discovery.asker import Asker
from crm_assets.extract.discovery.columns import SampleColumn
from crm_assets.extract.http.request import Request

_SINCE_PARAMS = (
    "updated_since",
    "modified_since",
    "since",
    "updated_after",
    "modified_after",
    "{field}_since",
    "{field}_gte",
)


async def since_filter(
    asker: Asker, request: Request, selector: Segments, column: SampleColumn, first: Sequence[Any]
) -> dict[str, Any] | None:
    """Return the ``incremental`` of a list, or ``None`` where no usual parameter filters it.

    Args:
        asker: Asks.
        request: The list's request.
        selector: Where the records are.
        column: When a record changed.
        first: The records of the unfiltered first page.
    """
    moments = sorted({value for record in first if (value := dig(record, column.path)) is not None}, key=str)
    if len(moments) < 2:
        return None
    amid = moments[len(moments) // 2]
    location = "json" if request.json is not None else "query"
    for template in _SINCE_PARAMS:
        param = template.format(field=column.path[-1])
        seen = await asker.tried(request.given(location, param, amid))  # type: ignore[arg-type]
        found = [dig(record, column.path) for record in seen.records(selector)] if seen else []
        if found and all(value is not None and str(value) >= str(amid) for value in found):
            where = "json" if location == "json" else "params"
            return {"field": column.name, where: {param: "{incremental.start_value}"}, **_time_format(column)}
    return None


def _time_format(column: SampleColumn) -> dict[str, str]:
    unit = column.declared.get("format", "local" if column.local else "iso")
    if column.local and all(" " in value for value in column.values if value):
        unit = "%Y-%m-%d %H:%M:%S"
    return {} if unit == "iso" else {"format": unit}
