"""What the hub runs: PostgreSQL, Redis and the APIs for all phases; Dagster, and workers on the machines, for each."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import yaml

from machines.fleet import API, BIN, SCRIPTS, SERVER, Fleet, Machine
from machines.namespaces import HUB, HUB_HOST, connect, kill
from machines.postgres import postgres, query


@contextmanager
def servers(folder: Path, connections: Path, rows: int, today: str) -> Iterator[None]:
    """Run PostgreSQL, Redis and the APIs in this namespace, the hub."""
    api = [sys.executable, str(SCRIPTS / "strict_api.py"), HUB_HOST, "8765", str(connections)]
    redis = ["redis-server", "--bind", HUB_HOST, "--port", "6379", "--save", "", "--protected-mode", "no"]
    redis += ["--dir", str(folder), "--databases", "32"]
    with postgres(folder), ExitStack() as started:
        for command in (redis, [*api, str(rows), today]):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            started.callback(process.wait)
            started.callback(process.kill)
        until_it_works(lambda: urllib.request.urlopen(f"{API}/__stats", timeout=5))
        yield


@contextmanager
def running(fleet: Fleet, machines: Sequence[str]) -> Iterator[dict[str, Machine]]:
    """Run Dagster on the hub and a worker on each machine; whatever runs there is ended afterwards."""
    for url in (fleet.instance, fleet.warehouse):
        query(f"{SERVER}/postgres", f"CREATE DATABASE {url.rpartition('/')[2]}")
    hub = fleet.machine(HUB)
    (hub.folder / "workspace.yaml").write_text(
        yaml.safe_dump({"load_from": [{"grpc_server": {"host": HUB_HOST, "port": 4000, "location_name": "crm"}}]})
    )
    found = {name: fleet.machine(name) for name in machines}
    started = [hub.start("dagster", "code-server", "start", "-h", HUB_HOST, "-p", "4000", "-m", fleet.module)]
    until_it_works(lambda: _answers(hub))
    # dagster-postgres leaves connections to the garbage collector: a dozen launches at once use up a pool of 21
    ui = ["-h", HUB_HOST, "-p", "3000", "-w", "workspace.yaml", "--db-pool-max-overflow", "100"]
    started.append(hub.start("dagster-webserver", *ui))
    until_it_works(lambda: urllib.request.urlopen(f"http://{HUB_HOST}:3000/server_info", timeout=5))
    started.append(hub.start("dagster-daemon", "run", "-w", "workspace.yaml"))
    for name, machine in found.items():
        connect(name)  # the phase before may have cut it off
        machine.start("dagster-celery", "worker", "start", "-A", "dagster_celery.app", "-y", "celery.yaml")
    try:
        yield found
    finally:
        for name in machines:
            kill(name)
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def _answers(hub: Machine) -> bool:
    check = [str(BIN / "dagster"), "api", "grpc-health-check", "-h", HUB_HOST, "-p", "4000"]
    if subprocess.run(check, env=hub.environment, capture_output=True, check=False).returncode:
        raise OSError("the code server does not answer yet")
    return True


def until_it_works(works: Callable[[], object], tries: int = 120) -> None:
    """Wait until something works.

    Raises:
        OSError: It does not, however often it is tried.
    """
    try:
        works()
    except OSError:
        if not tries:
            raise
        time.sleep(1)
        until_it_works(works, tries - 1)
