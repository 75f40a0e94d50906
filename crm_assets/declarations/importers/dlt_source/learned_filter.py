"""Filters of a pipeline's own code, learned by trial: made-up records show which values of one field they let pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_FALSE = (None, False, 0, "")
_OTHERS = (True, 1, -987_654, 987_654, 0.5, "a", "ZZ-7f3a", "7")
"""Values that no filter is likely to name: it has to treat them alike."""


class _Record(dict[str, Any]):
    """A record that keeps which fields are looked at, and has the same value in all of them."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value, self.fields = value, set[str]()

    def __getitem__(self, field: str) -> Any:
        self.fields.add(field)
        return self.value

    def __contains__(self, field: object) -> bool:
        return True

    def get(self, field: str, _: Any = None) -> Any:
        """Return the value, as for every field."""
        return self[field]


def _plain(constants: Any) -> Iterator[int | str]:
    for each in constants:
        if isinstance(each, (int, str)):
            yield each
        elif isinstance(each, (tuple, frozenset)):
            yield from _plain(each)


def learned_conditions(function: Any, texts: list[str]) -> list[dict[str, Any]] | None:
    """Return the conditions a filter consists of, or ``None`` where they stay unclear.

    Args:
        function: The filter; it is called with made-up records.
        texts: The texts in its code, which may be values it looks for.
    """
    code = getattr(function, "__code__", None)
    constants = [*_plain(code.co_consts)] if code else []
    fields: set[str] = set()
    passed: dict[tuple[type, Any], bool] = {}
    try:
        for value in (*_FALSE, *_OTHERS, *constants, *texts):
            record = _Record(value)
            passed[(type(value), value)] = bool(function(record))
            fields |= record.fields
    except Exception:  # of code that is not ours: what cannot be learned is named as code
        return None
    if len(fields) != 1:
        return None
    usual = {passed[(type(value), value)] for value in _OTHERS}
    if len(usual) != 1:
        return None
    (passes,) = usual
    named = [value for (_, value), each in passed.items() if each != passes]
    return [{"field": fields.pop(), "not_in" if passes else "in": named}] if named else None
