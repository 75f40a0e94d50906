"""Which column identifies records, and which says when one changed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crm_assets.declarations.loader import singular
from crm_assets.extract.discovery.columns import SampleColumn

_IDS = (r"id|_id", r"uuid|guid", r"key|number|code|sid", r".*_(id|uuid|guid|key|number|code)")
_CHANGE_TIME_NAME = re.compile(r".*(updat|modif|chang|edited)\w*")


def key_of(resource: str, columns: Sequence[SampleColumn]) -> SampleColumn | None:
    """Return the column whose value no two records share, that none lacks, and that is named like an identifier."""
    own = rf"{re.escape(singular(resource))}_?(id|key|number)"
    for pattern in (_IDS[0], own, *_IDS[1:]):
        for column in columns:
            if re.fullmatch(pattern, column.name) and len(column.path) == 1 and _tells_apart(column):
                return column
    return None


def _tells_apart(column: SampleColumn) -> bool:
    whole = column.declared["type"] in ("text", "bigint")
    return whole and column.always and len(set(column.values)) == len(column.values)


def changed_at(columns: Sequence[SampleColumn]) -> SampleColumn | None:
    """Return the column that says when a record changed."""
    times = [column for column in columns if column.declared["type"] == "timestamp"]
    return next((column for column in times if _CHANGE_TIME_NAME.fullmatch(column.name)), None)
