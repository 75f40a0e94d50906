"""One worker against three on machines of their own: the same tables, the vendor's limit, a dead machine, the time.

    apt-get install postgresql redis-server iproute2
    python benchmarks/venvs.py machines
    sudo benchmarks/.venvs/machines/bin/python benchmarks/many_machines.py [tables] [throughput] [steps] [--small]

``tables``: all lists and 90 days of all windows, once by one worker and once by three, one of whose machines is killed
in the middle of a run. ``throughput``: six accounts whose API takes its time. ``steps``: the same accounts as steps of
one run, which two workers share by ``celery_executor``, once undisturbed and once with a machine lost. See fleet.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml
from fleet import API, HUB, UI, Fleet, Machine, ip, kill, namespaces, query, running, servers

from crm_assets.declarations.connections import load_connections
from crm_assets.orchestration.automation.jobs import jobs_of

TODAY = date.today()  # noqa: DTZ011  # the machine's, as Dagster's partitions
LIMIT = {"requests": 240, "per": "minute"}
SYSTEMS = ("contact_crm", "sales_crm", "service_crm", "visitor_analytics", "sales_engagement")
SLOW = [f"account_{number}" for number in range(1, 7)]
INSIDE = "--inside"
SENSOR = {"repositoryName": "__repository__", "repositoryLocationName": "crm", "sensorName": "crm_abandoned_runs"}
_LAUNCH = """
mutation($given: ExecutionParams!) {
  launchRun(executionParams: $given) { __typename ... on PythonError { message } }
}"""
_BACKFILL = """
mutation($given: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $given) { __typename ... on PythonError { message } }
}"""
_WATCH = """
mutation($given: SensorSelector!) {
  startSensor(sensorSelector: $given) { __typename ... on PythonError { message } }
}"""
_IGNORED = ("_dlt_id", "_dlt_load_id", "_read_id", "_first_seen_at", "_changed_at")
"""Columns that name a read or say when it was."""


def connections(days: int) -> list[dict[str, Any]]:
    """Return the accounts at all systems, and the slow ones."""
    start = {"start_date": (TODAY - timedelta(days=days - 1)).isoformat(), "allow_http": True}
    every = [{"name": name, "system": name, "rate_limit": LIMIT, **start} for name in SYSTEMS]
    return every + [{"name": name, "system": "contact_crm", "concurrency": 2, **start} for name in SLOW]


def asked(query_: str, given: dict[str, Any], succeeded: str) -> None:
    """Send a mutation to Dagster's webserver, as its UI does.

    Raises:
        RuntimeError: It was refused.
    """
    body = json.dumps({"query": query_, "variables": {"given": given}}).encode()
    request = urllib.request.Request(UI, body, {"Content-Type": "application/json"})
    try:
        answer = json.load(urllib.request.urlopen(request, timeout=120))
    except urllib.error.HTTPError as error:
        answer = {"errors": error.read().decode()}
    if answer.get("errors") or next(iter(answer["data"].values()))["__typename"] != succeeded:
        raise RuntimeError(json.dumps(answer)[:2000])


def launch(job: str, **config: Any) -> None:
    """Launch a job with a run configuration."""
    selector = {"repositoryName": "__repository__", "repositoryLocationName": "crm", "jobName": job}
    asked(_LAUNCH, {"selector": selector, "runConfigData": config}, "LaunchRunSuccess")


def backfill(connection: str, resources: Sequence[str], days: Sequence[str]) -> None:
    """Launch a backfill of windows, which Dagster makes one run of."""
    given = {
        "assetSelection": [{"path": [connection, resource]} for resource in resources],
        "partitionNames": list(days),
        "title": f"{connection} {days[0]} to {days[-1]}".replace("-", ""),
    }
    asked(_BACKFILL, given, "LaunchBackfillSuccess")


def runs(fleet: Fleet) -> dict[str, int]:
    """Return the number of runs by status."""
    return dict(query(fleet.instance, "SELECT status, count(*) FROM runs GROUP BY 1"))  # type: ignore[arg-type]


def until_done(fleet: Fleet, expected: int, watch: Callable[[], object] = lambda: None, since: float = 0) -> float:
    """Wait until as many runs have succeeded, and return how long that took from the start of the first one since.

    Raises:
        RuntimeError: They have not, within a quarter of an hour.
    """
    deadline = time.monotonic() + 900
    while (found := runs(fleet)).get("SUCCESS", 0) < expected:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{expected} runs were to succeed: {found}")
        watch()
        time.sleep(0.5)
    succeeded = f"FROM runs WHERE status = 'SUCCESS' AND start_time > {since}"
    ((took,),) = query(fleet.instance, f"SELECT max(end_time) - min(start_time) {succeeded}")
    return round(float(str(took)), 1)


def api(**settings: float) -> dict[str, dict[str, int]]:
    """Change how the APIs answer, or return what they were asked."""
    path = "__set?" + "&".join(f"{name}={value}" for name, value in settings.items()) if settings else "__stats"
    answer: dict[str, dict[str, int]] = json.load(urllib.request.urlopen(f"{API}/{path}", timeout=30))
    return answer


def everything(file: Path, days: int) -> int:
    """Launch all lists of all systems and the windows of so many days, in thirds; return the number of runs."""
    count = 0
    names = [(TODAY - timedelta(days=days - 1 - day)).isoformat() for day in range(days)]
    third = -(-days // 3)
    for connection in load_connections(file):
        if connection.name not in SYSTEMS:
            continue
        for job in jobs_of(connection):
            parts = [names[at : at + third] for at in range(0, days, third)] if job.partitions else []
            for part in parts:
                backfill(connection.name, [resource.name for resource in job.resources], part)
            if not job.partitions:
                launch(job.definition.name)
            count += len(parts) or 1
    return count


def tables(fleet: Fleet) -> dict[str, list[str]]:
    """Return the rows of all tables and views of the systems, without what names a read or its time."""
    listed = query(
        fleet.warehouse,
        "SELECT table_schema, table_name, string_agg(quote_ident(column_name), ',' ORDER BY ordinal_position) "
        "FROM information_schema.columns WHERE table_schema IN "
        f"({', '.join(repr(name) for name in SYSTEMS)}) AND table_name NOT LIKE '\\_%' "
        f"AND column_name NOT IN ({', '.join(repr(name) for name in _IGNORED)}) GROUP BY 1, 2",
    )
    return {
        f"{schema}.{table}": sorted(
            str(row) for row in query(fleet.warehouse, f'SELECT {names} FROM {schema}."{table}"')
        )
        for schema, table, names in listed
    }


class Killer:
    """Ends the machine that has been at its run for the longest as a power cut would: no network, then kill -9.

    Args:
        fleet: Whose machines.
        machines: The machines, in the order of their addresses.
        requests: How many requests the APIs have to have had.
    """

    def __init__(self, fleet: Fleet, machines: dict[str, Machine], requests: int) -> None:
        self.report: dict[str, Any] = {}
        self._fleet, self._machines, self._requests = fleet, machines, requests
        self._killed = 0.0

    def __call__(self) -> None:
        """Look, and strike or take the time."""
        if not self._killed:
            self._strike()
        elif "failed after" not in self.report and runs(self._fleet).get("FAILURE"):
            self.report["failed after"] = round(time.monotonic() - self._killed, 1)

    def _strike(self) -> None:
        if sum(one["asked"] for one in api().values()) < self._requests:
            return
        rows = query(
            self._fleet.instance,
            "SELECT host(client_addr) FROM pg_stat_activity a JOIN pg_locks l USING (pid) "
            "WHERE application_name = 'crm_assets' AND locktype = 'advisory' ORDER BY backend_start",
        )
        if rows:
            name = list(self._machines)[int(str(rows[0][0]).rpartition(".")[2]) - 11]
            # the network first: its peers are not told that the connections are closed
            ip("-n", HUB, "link", "set", name, "down")
            kill(name)
            self._killed = time.monotonic()
            self.report = {"killed": name, "runs then": runs(self._fleet)}


@contextmanager
def phase(name: str, folder: Path, file: Path, machines: Sequence[str]) -> Iterator[tuple[Fleet, dict[str, Machine]]]:
    """Give a fleet with databases of its own."""
    fleet = Fleet(name, folder, file, len(machines))
    with running(fleet, machines) as found:
        asked(_WATCH, SENSOR, "Sensor")
        yield fleet, found


def compare_tables(folder: Path, file: Path, machines: Sequence[str], days: int) -> dict[str, Any]:
    """Return whether three workers, one of which dies, load what one loads."""
    found: dict[str, dict[str, list[str]]] = {}
    report: dict[str, Any] = {}
    for name, chosen in (("one", machines[:1]), ("three", machines)):
        api(latency=0.05, requests=LIMIT["requests"], per=60)  # type: ignore[arg-type]
        with phase(name, folder, file, chosen) as (fleet, running_):
            before = sum(one["asked"] for one in report["one"]["api"].values()) if report else 0
            killer = Killer(fleet, running_, before // 3) if report else None
            expected = everything(file, days)
            took = until_done(fleet, expected, killer or (lambda: None))
            found[name] = tables(fleet)
            report[name] = {"seconds": took, "runs": runs(fleet), "api": api(), "kill": killer and killer.report}
        print(json.dumps({name: report[name]}), flush=True)
    differing = [table for table in found["one"] if found["one"][table] != found["three"].get(table)]
    report["tables"], report["rows"] = len(found["one"]), sum(map(len, found["one"].values()))
    report["differing"] = differing + sorted(found["three"].keys() - found["one"].keys())
    return report


def compare_throughput(folder: Path, file: Path, machines: Sequence[str], latency: float) -> dict[str, Any]:
    """Return how long one worker and three take for six accounts whose API takes its time."""
    report: dict[str, Any] = {"latency": latency}
    for name, chosen in (("slow_one", machines[:1]), ("slow_three", machines)):
        with phase(name, folder, file, chosen) as (fleet, _):
            api(latency=0.5, requests=0)
            for account in SLOW[: len(chosen)]:  # what a worker imports once is not measured
                launch(f"{account}_lists")
            until_done(fleet, len(chosen))
            api(latency=latency, requests=0)
            since = time.time()
            for account in SLOW:
                launch(f"{account}_lists")
            report[name] = until_done(fleet, len(chosen) + len(SLOW), since=since)
            report["requests"] = sum(one["asked"] for one in api().values())
        print(json.dumps({name: report[name]}), flush=True)
    report["ratio"] = round(report["slow_one"] / report["slow_three"], 2)
    return report


def steps_by_worker(fleet: Fleet) -> list[str]:
    """Return how many steps of each run each worker has begun."""
    found = query(
        fleet.instance,
        "SELECT substring(event from '@(crm[0-9]+)'), left(run_id, 4), count(*) FROM event_logs "
        "WHERE event LIKE '%in celery worker%' GROUP BY 1, 2 ORDER BY min(timestamp)",
    )
    return [f"{worker}: {count} of run {run}" for worker, run, count in found]


def run_processes() -> int:
    """Return how many processes of the hub work on a run, or wait for its workers."""
    found = 0
    for pid in ip("netns", "pids", HUB).split():
        with suppress(OSError):  # it has ended meanwhile, as the one that lists them has
            found += b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return found


def compare_steps(folder: Path, file: Path, machines: Sequence[str], latency: float) -> dict[str, Any]:
    """Return how two workers share the steps of one run, and what becomes of it when one of their machines is lost."""
    report: dict[str, Any] = {"latency": latency}
    for name, disturbed in (("steps", False), ("steps_lost", True)):
        fleet = Fleet(name, folder, file, 2, "spread_steps", spread=True)
        with running(fleet, machines) as found:
            asked(_WATCH, SENSOR, "Sensor")
            api(latency=latency, requests=0)
            killer = Killer(fleet, found, 20) if disturbed else None
            launch("slow_accounts", execution={"config": fleet.celery()})
            took = until_done(fleet, 1, killer or (lambda: None))
            time.sleep(5)
            report[name] = {
                "seconds": took,
                "runs": runs(fleet),
                "steps": steps_by_worker(fleet),
                "requests": {name: one["asked"] for name, one in api().items()},
                "rows": [query(fleet.warehouse, f"SELECT count(*) FROM {name}.contacts")[0][0] for name in SLOW],
                "kill": killer and killer.report,
                "processes of runs": run_processes(),
            }
        print(json.dumps({name: report[name]}, default=str), flush=True)
    return report


def inside(arguments: list[str]) -> None:
    """Measure, in the hub's namespace."""
    small = "--small" in arguments
    chosen = [each for each in arguments if not each.startswith("-")] or ["tables", "throughput"]
    machines = [f"crm{number}" for number in (1, 2, 3)]
    days = 9 if small else 90
    with tempfile.TemporaryDirectory(prefix="machines-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        file = folder / "connections.yaml"
        file.write_text(yaml.safe_dump({"connections": connections(days)}))
        with servers(folder, file, 120, TODAY.isoformat()):
            for each in chosen:
                match each:
                    case "tables":
                        measured = compare_tables(folder, file, machines, days)
                    case "throughput":
                        measured = compare_throughput(folder, file, machines, 0.2 if small else 4.0)
                    case _:
                        measured = compare_steps(folder, file, machines[:2], 0.2 if small else 1.0)
                print(json.dumps({each: measured}, indent=1, default=str), flush=True)


def main() -> None:
    """Make the machines, and measure in the hub."""
    if INSIDE in sys.argv:
        inside([each for each in sys.argv[1:] if each != INSIDE])
        return
    with namespaces([f"crm{number}" for number in (1, 2, 3)]):
        command = [sys.executable, str(Path(__file__).resolve()), *sys.argv[1:], INSIDE]
        sys.exit(subprocess.run(["ip", "netns", "exec", HUB, *command], check=False).returncode)


if __name__ == "__main__":
    main()
