"""What ``discover`` says beside the declaration: counts and names, never a value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crm_assets.commands.discover import Discovery
from crm_assets.extract.discovery.look import Look


def remarks(discovery: Discovery) -> Iterator[str]:
    """Yield a line per list, then what could not be examined and what is in doubt."""
    for look in discovery.looks:
        yield f"{look.resource}: {'; '.join(_facts(look))}."
    for name, why in discovery.refused.items():
        yield f"{name} could not be examined: {why}."
    for doubt in discovery.doubts:
        yield f"In doubt: {doubt}."


def _facts(look: Look) -> Iterator[str]:
    found = look.found
    endpoint, columns = found.get("endpoint", {}), found.get("columns", {})
    yield look.extent
    if "data_selector" in endpoint:
        yield f"records at {endpoint['data_selector']}"
    if "paginator" in endpoint:
        yield f"paging {_paginator_type(endpoint['paginator'])}"
    if "primary_key" in found:
        yield f"key {found['primary_key']}"
    if "incremental" in found:
        yield f"changes by {found['incremental']['field']}"
    personal = [name for name, column in columns.items() if "pii" in column]
    yield f"{len(columns)} new columns" + (f", personal: {', '.join(personal)}" if personal else "")


def _paginator_type(paginator: Any) -> str:
    return str(paginator["type"] if isinstance(paginator, dict) else paginator)
