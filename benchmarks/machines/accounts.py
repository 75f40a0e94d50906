"""The accounts that are read: one at each system, and some whose API takes its time."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

TODAY = date.today()  # noqa: DTZ011  # the machine's, as Dagster's partitions
LIMIT = {"requests": 240, "per": "minute"}
SYSTEMS = ("contact_crm", "sales_crm", "service_crm", "visitor_analytics", "sales_engagement")
SLOW = [f"account_{number}" for number in range(1, 7)]


def connections(days: int) -> list[dict[str, Any]]:
    """Return the accounts at all systems, and the slow ones."""
    start = {"start_date": (TODAY - timedelta(days=days - 1)).isoformat(), "allow_http": True}
    every = [{"name": name, "system": name, "rate_limit": LIMIT, **start} for name in SYSTEMS]
    return every + [{"name": name, "system": "contact_crm", "concurrency": 2, **start} for name in SLOW]
