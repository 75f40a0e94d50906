"""A horizontal bar chart as SVG, without a plotting library."""

from __future__ import annotations

from xml.sax.saxutils import escape

WIDTH, LABELS, BAR, GAP, TOP = 860, 300, 20, 8, 44
OURS, OTHERS = "#2f6f4f", "#9aa5b1"


def bars(title: str, values: dict[str, float]) -> str:
    """Return an SVG of one bar per value, shortest first; the one called ``crm-assets …`` stands out."""
    ordered = sorted(values.items(), key=lambda item: item[1])
    height = TOP + len(ordered) * (BAR + GAP) + GAP
    scale = (WIDTH - LABELS - 80) / max(values.values(), default=1)
    rows = [
        _bar(label, value, TOP + number * (BAR + GAP), value * scale) for number, (label, value) in enumerate(ordered)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n'
        f'<text x="12" y="24" font-size="15" font-weight="bold">{escape(title)}</text>\n'
        + "\n".join(rows)
        + "\n</svg>\n"
    )


def _bar(label: str, value: float, y: int, length: float) -> str:
    color = OURS if label.startswith("crm-assets") else OTHERS
    middle = y + BAR - 6
    return (
        f'<text x="{LABELS - 8}" y="{middle}" text-anchor="end">{escape(label)}</text>'
        f'<rect x="{LABELS}" y="{y}" width="{max(length, 1):.1f}" height="{BAR}" fill="{color}"/>'
        f'<text x="{LABELS + max(length, 1) + 6:.1f}" y="{middle}">{value:.2f} s</text>'
    )
