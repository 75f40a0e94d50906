"""Dagster's webserver as its UI uses it: launches, backfills, a sensor turned on, and runs waited for."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

from machines.fleet import Fleet
from machines.namespaces import HUB_HOST
from machines.postgres import query

_UI = f"http://{HUB_HOST}:3000/graphql"
_REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "crm"}
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


def _ask(query_: str, given: dict[str, Any], succeeded: str) -> None:
    """Send a mutation to Dagster's webserver, as its UI does.

    Raises:
        RuntimeError: It was refused.
    """
    body = json.dumps({"query": query_, "variables": {"given": given}}).encode()
    request = urllib.request.Request(_UI, body, {"Content-Type": "application/json"})
    try:
        answer = json.load(urllib.request.urlopen(request, timeout=120))
    except urllib.error.HTTPError as error:
        answer = {"errors": error.read().decode()}
    if answer.get("errors") or next(iter(answer["data"].values()))["__typename"] != succeeded:
        raise RuntimeError(json.dumps(answer)[:2000])


def watch_for_lost_machines() -> None:
    """Turn on the sensor that ends the runs of machines that are gone."""
    _ask(_WATCH, {**_REPOSITORY, "sensorName": "crm_abandoned_runs"}, "Sensor")


def launch(job: str, **config: Any) -> None:
    """Launch a job with a run configuration."""
    _ask(_LAUNCH, {"selector": {**_REPOSITORY, "jobName": job}, "runConfigData": config}, "LaunchRunSuccess")


def backfill(connection: str, resources: Sequence[str], days: Sequence[str]) -> None:
    """Launch a backfill of windows, which Dagster makes one run of."""
    given = {
        "assetSelection": [{"path": [connection, resource]} for resource in resources],
        "partitionNames": list(days),
        "title": f"{connection} {days[0]} to {days[-1]}".replace("-", ""),
    }
    _ask(_BACKFILL, given, "LaunchBackfillSuccess")


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
