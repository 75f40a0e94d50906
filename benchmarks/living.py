"""Lists that move while they are read: requests as the server counts them, and what is missing afterwards.

A change happens before every fifth request, in turn a new record and a deleted one: one a second at five requests a
second. The clock is the number of requests, so that two hundred trials take minutes and not hours.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml
from catalog import FOLDER

sys.path.insert(0, str(FOLDER.parent))

from crm_assets.declarations import load_connections
from crm_assets.extract.fetch import ReadResult, fetch
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.read_report import ReadTask
from crm_assets_tests.extract.moving_list import MovingList, Order, churn
from crm_assets_tests.living_server import LivingServer, living_server, living_system

PAGES, SIZE, TRIALS = 60, 50, 200
NAME = "living"
_ORDERS: tuple[Order, ...] = ("oldest first", "newest first")
_ABOUT = (
    f"Lists of {PAGES * SIZE:,} records, {SIZE} a page; a change before every fifth request, in turn a record created "
    f"and one deleted. Requests are counted by the server, against the {PAGES} pages it has."
)
_HEADER = (
    "| list | reads | requests, greatest | behind the end | green | amber | green, one missing | amber, one missing | "
    "of these, in the next read |"
)
_WAYS = {"total": "with a total", "empty": "without, by page number", "pages": "without, pages counted"}


@dataclass
class Trials:
    """What several reads of one kind of list came to."""

    requests: list[float] = field(default_factory=list)
    """Requests against the fewest possible."""
    past_the_end: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    healed: int = 0
    """Reads that missed a record which the next one brought."""


def measured(trials: int = TRIALS) -> dict[str, Any]:
    """Return all figures, as stored in ``results/living.json``."""
    with living_server() as server, tempfile.TemporaryDirectory(prefix="living-") as name:
        lists = _Lists(server, Path(name))
        rows = [lists.still(way) for way in _WAYS]
        return {"name": NAME, "rows": [row for pair in rows for row in pair] + [lists.moving(w, trials) for w in _WAYS]}


def section(result: dict[str, Any]) -> str:
    """Return the figures as a section of docs/performance.md."""
    lines = [
        "### Lists that move while they are read",
        "",
        _ABOUT,
        "",
        _HEADER,
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    return "\n".join([*lines, *(_line(row) for row in result["rows"])]) + "\n"


def _line(row: dict[str, Any]) -> str:
    verdicts = Counter(row["verdicts"])
    cells = [row["title"], row["reads"], f"{row['requests']:.2f} ×", row["past_the_end"]]
    cells += [verdicts[name] for name in ("green", "amber", "green and missing", "amber and missing")]
    return "| " + " | ".join(map(str, [*cells, row["healed"]])) + " |"


class _Lists:
    def __init__(self, server: LivingServer, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._reads = 0
        (folder / "systems").mkdir()
        (folder / "systems" / "living.yaml").write_text(yaml.safe_dump(living_system(SIZE)))
        entry = {"name": "living", "system": "living", "base_url": server.url, "allow_http": True, "concurrency": 1}
        text = yaml.safe_dump({"systems": "systems", "connections": [entry]})
        (folder / "connections.yaml").write_text(text)
        (self._connection,) = load_connections(folder / "connections.yaml")

    def still(self, way: str) -> list[dict[str, Any]]:
        """Read a list that does not move, for the first time and again."""
        memory, rows = self._folder / f"{way}.json", []
        known: Path | None = None
        for which in ("first read", "later read"):
            trial = Trials()
            self._server.list = MovingList(way, PAGES * SIZE - 2, size=SIZE)
            result = self._read(way, memory, known)
            self._note(trial, result, set())
            known = self._keys(result) if way != "total" else None
            rows.append(_row(f"still, {_WAYS[way]}, {which}", trial))
        return rows

    def moving(self, way: str, trials: int) -> dict[str, Any]:
        """Read lists that move; where a record is missing, read once more."""
        trial = Trials()
        for seed in range(trials):
            chance = random.Random(f"{way} {seed}")
            events = churn(chance, 5, 400, ("create", "delete"))
            self._server.list = MovingList(way, PAGES * SIZE - 2, events, _ORDERS[seed % 2], SIZE)
            result = self._read(way, None, None)
            missing = self._note(trial, result, self._server.list.always)
            if missing:
                again = self._read(way, None, self._keys(result))
                trial.healed += not (missing & self._server.list.always) - _ids(again)
        return _row(f"moving, {_WAYS[way]}", trial)

    def _read(self, way: str, memory: Path | None, known: Path | None) -> ReadResult:
        self._reads += 1
        folder = self._folder / str(self._reads)
        folder.mkdir()
        task = replace(ReadTask(self._connection.system.resource(way)), known=known)
        budget = RateLimiter(folder / "budget", None)
        (result,) = fetch(self._connection, [task], {"token": "t0k3n"}, folder, budget, memory=memory)
        return result

    def _note(self, trial: Trials, result: ReadResult, always: set[int]) -> set[int]:
        moving, report = self._server.list, result.report
        missing = (always or moving.always) - _ids(result)
        verdict = "red" if not report.complete else "amber" if report.unproven else "green"
        trial.verdicts[f"{verdict} and missing" if missing else verdict] += 1
        trial.requests.append(len(moving.asked) / PAGES)
        trial.past_the_end = max(trial.past_the_end, 0 if moving.events else moving.past_the_end)
        return missing

    def _keys(self, result: ReadResult) -> Path:
        assert result.staged
        path = self._folder / f"{self._reads}.known.parquet"
        pq.write_table(pq.read_table(result.staged.path, columns=["id"]), path)
        return path


def _ids(result: ReadResult) -> set[int]:
    return set(pq.read_table(result.staged.path, columns=["id"])["id"].to_pylist()) if result.staged else set()


def _row(title: str, trial: Trials) -> dict[str, Any]:
    return {
        "title": title,
        "reads": len(trial.requests),
        "requests": max(trial.requests),
        "past_the_end": trial.past_the_end,
        "verdicts": dict(trial.verdicts),
        "healed": trial.healed,
    }


if __name__ == "__main__":
    print(section(measured(int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS)))
