"""Sample rows in a terminal, side by side: records have many columns and a terminal has few."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from crm_assets.commands.preview import Preview

_LEAST_CELL, _TYPE, _GAP = 8, 14, 2
"""Widths in characters: of a value at least, of the type and its gaps, of the gap between rows."""


def render_preview(preview: Preview, width: int) -> RenderableType:
    """Return the rows as a table.

    Args:
        preview: What to show.
        width: Characters of the terminal.
    """
    names = _column_names(preview)
    table = Table(box=None, header_style="bold", pad_edge=False)
    cell = _cell_width(width - max(map(len, names)) - _TYPE, len(preview.rows))
    for heading in ("column", "type", *(f"row {number}" for number in range(1, len(preview.rows) + 1))):
        table.add_column(heading, no_wrap=True)
    for name in names:
        column = preview.resource.columns.get(name)
        kind = Text(column.type.value if column else "", "dim")
        table.add_row(Text(name), kind, *(Text(_cut(row.get(name, ""), cell)) for row in preview.rows))
    title = Text(f"{preview.connection}.{preview.resource.name}", "bold")
    return Group(title, *([table] if preview.rows else []), *(Text(note, "dim") for note in preview.notes))


def _cell_width(width: int, rows: int) -> int:
    """Return the width of a value, so that all rows fit."""
    return max(width // max(rows, 1) - _GAP, _LEAST_CELL)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _column_names(preview: Preview) -> list[str]:
    return [*preview.resource.columns, *(n for n in ("_extra", "_misfits") if any(n in row for row in preview.rows))]
