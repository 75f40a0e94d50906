"""What is measured: each scenario is a state of the server, a way of reading and the contenders that take turns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

RECORDS: dict[str, tuple[str, ...]] = {"bench": ("records",)}
LISTS = {f"lists_{count}": tuple(f"list_{n}" for n in range(1, count + 1)) for count in (8, 5, 14, 3, 2)}
"""Five systems with 32 lists between them."""

_ALL = (
    "crm_assets", "pyairbyte", "singer", "dlt_tuned", "dlt_tuned_assets", "dlt_documented", "dlt_assets",
    "floor_a", "floor_a_serial", "floor_b", "floor_c", "floor_d",
)  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """One table of the report."""

    name: str
    title: str
    rows: int
    """Records of every list."""
    contenders: tuple[str, ...]
    repeat: int = 5
    """Runs of each contender when the command line names no number."""
    per_page: int = 100
    server: dict[str, float] = field(default_factory=dict)
    """Further options of the page server (see :class:`pages.Options`)."""
    system: str = "bench"
    """Declaration our contender reads the list by."""
    lists: dict[str, tuple[str, ...]] = field(default_factory=lambda: RECORDS)
    """Lists by connection."""
    mode: Literal["full_refresh", "cursor"] = "full_refresh"
    changed: float | None = None
    """Percent of rows that change between a first, unmeasured run and the measured one, if there is a first."""
    measure: Literal["wall", "fetch"] = "wall"
    """What the ratio compares: the whole process, or first request to last answer as the server saw them."""
    floor_seconds: float | None = None
    """Arithmetic floor of the scenario, if there is one."""
    stored: bool = True
    """Whether rows are loaded at all."""


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("rows_10k", "10,000 records", 10_000, _ALL),
        Scenario("rows_100k", "100,000 records", 100_000, _ALL, repeat=3),
        Scenario("rows_500k", "500,000 records", 500_000, ("crm_assets", "pyairbyte", "floor_b", "floor_d"), repeat=3),
        Scenario(
            "rows_1m", "1,000,000 records: time, memory and checks", 1_000_000, ("crm_assets", "floor_d"), repeat=3
        ),
        Scenario(
            "latency",
            "50 ms a request, 4,000 pages of 25, 8 in flight: the fetch stage",
            100_000,
            ("crm_assets", "floor_a"),
            repeat=3,
            per_page=25,
            server={"latency_ms": 50},
            system="bench_small_pages",
            measure="fetch",
            floor_seconds=4_000 * 0.050 / 8,
        ),
        Scenario(
            "limit_declared",
            "The server allows 50 requests a second, and the declaration says so: 1,000 requests",
            100_000,
            ("crm_assets",),
            repeat=3,
            server={"rate": 50},
            system="bench_limited",
            measure="fetch",
            floor_seconds=(1_000 - 10) / 50,
        ),
        Scenario(
            "limit_found",
            "The server allows 50 requests a second, and nobody was told: 1,000 requests",
            100_000,
            ("crm_assets", "pyairbyte", "dlt_tuned"),
            repeat=3,
            server={"rate": 50},
            measure="fetch",
            floor_seconds=(1_000 - 10) / 50,
        ),
        Scenario(
            "resync",
            "Second sync of 100,000 records, of which 1 % changed",
            100_000,
            ("crm_assets", "dlt_tuned", "pyairbyte"),
            repeat=3,
            system="bench_cursor",
            mode="cursor",
            changed=1,
        ),
        Scenario(
            "resync_none",
            "Second sync of 100,000 records, of which none changed",
            100_000,
            ("crm_assets",),
            repeat=3,
            system="bench_cursor",
            mode="cursor",
            changed=0,
        ),
        Scenario("systems", "Five systems, 32 lists of 100 records", 100, ("crm_assets", "dlt_systems"), lists=LISTS),
        Scenario("load", "Loading the code location", 0, ("crm_assets_load", "imports"), stored=False),
    )
}
