"""Writers in processes of their own: each reads days of one list, as separate runs on one or several machines do."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from crm_assets.sandbox import Sandbox
from crm_assets_tests.conftest import only
from crm_assets_tests.house import House, all_connections, failure

CONNECTION = "visitor_analytics"
Work = tuple[str, str, str, Sequence[str]]
"""Address of the sandbox, data folder, destination, days to read."""


def read_days(work: Work) -> list[str]:
    """Read the visits of some days, one run each; return what failed."""
    served_at, folder, destination, days = work
    (connection,) = (one for one in all_connections() if one.name == CONNECTION)
    chosen = only(connection, "accounts", "visits")
    house = House(Sandbox([chosen]), served_at, Path(folder), [chosen], destination=destination)
    results = [house.materialize(f"{CONNECTION}/visits", day=day) for day in days]
    return [failure(result) for result in results if not result.success]


def read_at_once(works: Sequence[Work]) -> list[str]:
    """Let as many processes work at once; return what failed."""
    with ProcessPoolExecutor(len(works), multiprocessing.get_context("spawn")) as pool:
        return [problem for problems in pool.map(read_days, works) for problem in problems]
