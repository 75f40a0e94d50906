"""Writers in processes of their own: each reads days of one list, as separate runs on one or several machines do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from crm_assets.declarations.models.connection import Connection
from crm_assets_tests.conftest import only
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.installation import Installation, all_connections, failure
from crm_assets_tests.reliability.killed_runs import context

CONNECTION = "visitor_analytics"
Work = tuple[str, str, str, Sequence[str]]
"""Address of the sandbox, data folder, destination, days to read."""


def read_days(work: Work, chosen: Connection) -> list[str]:
    """Read the visits of some days, one run each; return what failed."""
    served_at, folder, destination, days = work
    house = Installation(FaultySandbox([chosen]), served_at, Path(folder), [chosen], destination=destination)
    results = [house.materialize(f"{CONNECTION}/visits", day=day) for day in days]
    return [failure(result) for result in results if not result.success]


@contextmanager
def crew(size: int) -> Iterator[Callable[[Sequence[Work]], list[str]]]:
    """Keep processes ready; yield what lets as many work at once and returns what failed."""
    (connection,) = (one for one in all_connections() if one.name == CONNECTION)
    read_visits = partial(read_days, chosen=only(connection, "accounts", "visits"))
    with ProcessPoolExecutor(size, context, _inherit, (dict(os.environ),)) as pool:
        yield lambda works: [problem for problems in pool.map(read_visits, works) for problem in problems]


def _inherit(environment: Mapping[str, str]) -> None:
    os.environ.update(environment)  # the server they are forked off has that of its start


def read_at_once(works: Sequence[Work]) -> list[str]:
    """Let as many processes work at once, once; return what failed."""
    with crew(len(works)) as work:
        return work(works)
