"""Measure crm-assets beside its peers and beside the floor.

Contenders of a scenario take turns, so that a slow minute of the machine hits all of them, after one short run
each that only warms caches. Each run is a whole process, from exec to exit, in a fresh folder; what it loaded is
checked to the last row. Results go to benchmarks/results/<scenario>.json, tables and plots to docs/. With --rows
nothing is written: the tables are printed.

    python benchmarks/run.py --list
    python benchmarks/run.py --only rows_10k --rows 1000 --repeat 1
    python benchmarks/run.py --only rows_10k,resync --contenders crm_assets,pyairbyte
    python benchmarks/run.py                                  everything; takes an hour or two
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from typing import Any

import living
from catalog import CONTENDERS, FOLDER, Contender
from report import machine, table, write_document
from scenarios import SCENARIOS, Scenario
from server import Server, page_server
from turn import take

RESULTS = FOLDER / "results"


def main() -> int:
    """Run what the command line asks for; return 0 only if every run loaded exactly what the server holds."""
    options = _options()
    if options.list:
        for scenario in SCENARIOS.values():
            print(f"{scenario.name:15} {scenario.title}\n{'':15} {', '.join(scenario.contenders)}")
        print(f"{living.NAME:15} Lists that move while they are read")
        return 0
    if options.report:
        write_document(RESULTS)
        return 0
    faults = 0
    with page_server() as server:
        for name in options.only:
            if name == living.NAME:
                faults += _living(options)
                continue
            result = measured(_adapted(SCENARIOS[name], options), server, options.timeout)
            print(table(result), flush=True)
            faults += sum(len(run["faults"]) for runs in result["runs"].values() for run in runs)
            if options.rows is None:
                _store(result)
    if options.rows is None:
        write_document(RESULTS)
    return 1 if faults else 0


def _living(options: argparse.Namespace) -> int:
    """Read lists that move; return how many reads were red, or green without a record that was there all the time."""
    result = living.measured(options.repeat or living.TRIALS)
    print(living.section(result), flush=True)
    if options.rows is None:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{living.NAME}.json").write_text(json.dumps(result, indent=1) + "\n")
    wrong = ("red", "red and missing", "green and missing")
    return sum(row["verdicts"].get(verdict, 0) for row in result["rows"] for verdict in wrong)


def measured(scenario: Scenario, server: Server, timeout: float) -> dict[str, Any]:
    """Let the contenders of a scenario take turns and return all their runs."""
    able = [contender for contender in map(CONTENDERS.__getitem__, scenario.contenders) if _can_run(contender)]
    runs: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in able}
    for contender in able:
        take(replace(scenario, rows=min(scenario.rows, 100), server={}, changed=None), contender, server, timeout)
    for number in range(scenario.repeat):
        for contender in able:
            run = take(scenario, contender, server, timeout)
            runs[contender.name].append(run)
            note = "; ".join(run["faults"]) or f"{run['wall']:.2f} s, {run['peak_mb']:.0f} MB"
            print(
                f"{scenario.name} {number + 1}/{scenario.repeat} {contender.name}: {note}", file=sys.stderr, flush=True
            )
    facts = {key: getattr(scenario, key) for key in ("name", "title", "rows", "per_page", "measure", "floor_seconds")}
    lists = sum(map(len, scenario.lists.values()))
    return {**facts, "lists": lists, "machine": machine(), "runs": runs}


def _can_run(contender: Contender) -> bool:
    missing = contender.missing()
    if missing:
        print(f"{contender.name} is left out: {missing}", file=sys.stderr)
    return not missing


def _adapted(scenario: Scenario, options: argparse.Namespace) -> Scenario:
    chosen = tuple(name for name in scenario.contenders if not options.contenders or name in options.contenders)
    rows = scenario.rows if options.rows is None else options.rows
    floor = scenario.floor_seconds if options.rows is None else None
    return replace(
        scenario, rows=rows, floor_seconds=floor, repeat=options.repeat or scenario.repeat, contenders=chosen
    )


def _store(result: dict[str, Any]) -> None:
    """Write a scenario's runs; contenders that were not asked for keep the runs they had."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{result['name']}.json"
    before = json.loads(file.read_text())["runs"] if file.exists() else {}
    file.write_text(json.dumps({**result, "runs": {**before, **result["runs"]}}, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="show the scenarios and their contenders, run nothing")
    parser.add_argument("--report", action="store_true", help="write docs from the stored results, run nothing")
    every = [*SCENARIOS, living.NAME]
    parser.add_argument(
        "--only", type=_names(dict.fromkeys(every)), default=every, help="scenarios, separated by commas"
    )
    parser.add_argument("--rows", type=int, help="another number of records; nothing is written then")
    parser.add_argument("--repeat", type=int, help="runs of each contender (default: the scenario's own number)")
    parser.add_argument("--timeout", type=float, default=900, help="seconds until one run is killed (default 900)")
    return parser.parse_args()


def _names(known: dict[str, Any]) -> Any:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"there is no {name!r}; there are {', '.join(known)}")
        return names

    return parse


if __name__ == "__main__":
    sys.exit(main())
