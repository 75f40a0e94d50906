"""The rows one list of an API consists of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from crm_assets.sandbox.tables import Table


class Selection(Sequence[dict[str, Any]]):
    """The rows one list of the API consists of; a row is built when it is asked for.

    Args:
        table: Where the rows stand.
        indexes: Which rows, in the order of the list.
        first_seen: For aggregates, the row that each one was first seen in, and the columns that tell.
    """

    def __init__(
        self, table: Table, indexes: Sequence[int], first_seen: dict[int, int], told: Iterable[str] = ()
    ) -> None:
        self._table, self._indexes, self._first_seen, self._told = table, indexes, first_seen, tuple(told)
        self._positions: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self._indexes)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self._row(index) for index in self._indexes[place]]
        return self._row(self._indexes[place])

    def _row(self, index: int) -> dict[str, Any]:
        row = self._table.row(index)
        if index in self._first_seen:
            row.update({name: self._table.columns[name][self._first_seen[index]] for name in self._told})
        return row

    def position(self, column: str, value: str) -> int | None:
        """Return where the row stands whose column has this value, compared as text."""
        if self._positions is None:
            values = self._table.columns[column]
            self._positions = {str(values[index]): place for place, index in enumerate(self._indexes)}
        return self._positions.get(value)
