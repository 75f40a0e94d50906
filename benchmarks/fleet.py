"""Machines of one's own on this one: network namespaces, each with a folder, a host name and a network interface.

A hub has what a fleet shares: PostgreSQL, Redis, the APIs and Dagster's daemon, code server and webserver. A machine
has a folder, a ``dagster.yaml`` that names the hub's PostgreSQL, and a Celery worker.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from crm_assets.commands.local_postgres import programs
from crm_assets.declarations.connections import load_connections
from crm_assets.sandbox import sandbox_environment

NETWORK, HUB, HUB_HOST = "198.18.16.0/24", "crmhub", "198.18.16.1"
"""Of the addresses that are set aside for benchmarks (RFC 2544)."""
SERVER = f"postgresql://loader:trusted@{HUB_HOST}:5432"
API = f"http://{HUB_HOST}:8765"
UI = f"http://{HUB_HOST}:3000/graphql"
_BIN = Path(sys.executable).parent


def ip(*arguments: str) -> str:
    """Run iproute2's ``ip`` and return what it prints."""
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


@contextmanager
def namespaces(machines: Sequence[str]) -> Iterator[None]:
    """Make the hub's namespace and those of machines, each connected with the hub alone."""
    with ExitStack() as made:
        for name in (HUB, *machines):
            ip("netns", "add", name)
            made.callback(_remove, name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", HUB, "link", "add", "bridge", "type", "bridge")
        ip("-n", HUB, "addr", "add", f"{HUB_HOST}/24", "dev", "bridge")
        ip("-n", HUB, "link", "set", "bridge", "up")
        for number, name in enumerate(machines, start=11):
            ip("-n", HUB, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", HUB, "link", "set", name, "master", "bridge", "up")
            ip("-n", name, "addr", "add", f"198.18.16.{number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        yield


def _remove(name: str) -> None:
    kill(name)
    ip("netns", "del", name)


def kill(name: str) -> None:
    """End all processes of a namespace with ``kill -9``."""
    for pid in ip("netns", "pids", name).split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


@dataclass(frozen=True)
class Machine:
    """A namespace with a folder of its own.

    Attributes:
        name: Of the namespace, and the host name in it.
        folder: Its home, working folder, data folder and Dagster home.
        environment: The variables of its processes.
    """

    name: str
    folder: Path
    environment: dict[str, str]

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a program of this environment on the machine; what it prints goes to ``log`` in the folder."""
        inside = ["ip", "netns", "exec", self.name, "unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"']
        program = str(_BIN / command[0])
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*inside, self.name, program, *command[1:]],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )


@dataclass(frozen=True)
class Fleet:
    """What the machines of one phase share.

    Attributes:
        name: Of the phase; its databases are named after it.
        folder: Where the machines' folders are.
        connections: The connections file, of which each machine has a copy.
        slots: How many runs Dagster starts at once.
        module: The code location.
        spread: Whether workers take steps, and runs are processes of the hub; else they take whole runs.
    """

    name: str
    folder: Path
    connections: Path
    slots: int
    module: str = "crm_assets.definitions"
    spread: bool = False

    @property
    def instance(self) -> str:
        """URL of the instance's database."""
        return f"{SERVER}/dagster_{self.name}"

    @property
    def warehouse(self) -> str:
        """URL of the database with the tables."""
        return f"{SERVER}/warehouse_{self.name}"

    def machine(self, name: str) -> Machine:
        """Make the folder of a machine; nothing of it is on another one."""
        folder = self.folder / self.name / name
        for each in ("data", "dagster", "tmp"):
            (folder / each).mkdir(parents=True)
        shutil.copy(self.connections, folder)
        (folder / "dagster" / "dagster.yaml").write_text(yaml.safe_dump(self._settings()))
        (folder / "celery.yaml").write_text(yaml.safe_dump({"execution": {"config": self.celery()}}))
        return Machine(name, folder, self._environment(folder))

    def _environment(self, folder: Path) -> dict[str, str]:
        return {
            "PATH": f"{_BIN}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parent),
            "LC_ALL": "C.UTF-8",
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "DAGSTER_HOME": str(folder / "dagster"),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "PYTHONWARNINGS": "ignore",
            "CRM_ASSETS_CONNECTIONS": str(folder / "connections.yaml"),
            "CRM_ASSETS_DATA": str(folder / "data"),
            "CRM_ASSETS_DESTINATION": "postgres",
            "DESTINATION__POSTGRES__CREDENTIALS": self.warehouse,
            **sandbox_environment(load_connections(self.connections), API),
        }

    def _settings(self) -> dict[str, object]:
        return {
            "telemetry": {"enabled": False},
            "nux": {"enabled": False},
            "storage": {"postgres": {"postgres_url": self.instance.replace("postgresql:", "postgresql+psycopg2:")}},
            "compute_logs": {
                "module": "dagster._core.storage.noop_compute_log_manager",
                "class": "NoOpComputeLogManager",
            },
            "run_coordinator": {
                "module": "dagster.core.run_coordinator",
                "class": "QueuedRunCoordinator",
                "config": {"dequeue_interval_seconds": 1},
            },
            "concurrency": {"runs": {"max_concurrent_runs": self.slots}},
            **({} if self.spread else {"run_launcher": self._launcher()}),
            "run_monitoring": {"enabled": True, "poll_interval_seconds": 5, "start_timeout_seconds": 120},
            "run_retries": {"enabled": True, "max_retries": 2},
        }

    def _launcher(self) -> dict[str, object]:
        return {"module": "dagster_celery.launcher", "class": "CeleryRunLauncher", "config": self.celery()}

    def celery(self) -> dict[str, object]:
        """Return the settings of the workers, and of what sends them work."""
        number = sum(map(ord, self.name)) % 8 * 2
        return {
            "broker": f"redis://{HUB_HOST}:6379/{number}",
            "backend": f"redis://{HUB_HOST}:6379/{number + 1}",
            # a worker takes a run when it has nothing else to do, not one more to have it at hand
            "config_source": {"worker_disable_prefetch": True, "worker_concurrency": 1},
        }


@contextmanager
def servers(folder: Path, connections: Path, rows: int, today: str) -> Iterator[None]:
    """Run PostgreSQL, Redis and the APIs in this namespace, the hub."""
    api = [sys.executable, str(Path(__file__).with_name("strict_api.py")), HUB_HOST, "8765", str(connections)]
    redis = ["redis-server", "--bind", HUB_HOST, "--port", "6379", "--save", "", "--protected-mode", "no"]
    redis += ["--dir", str(folder), "--databases", "32"]
    with _postgres(folder), ExitStack() as started:
        for command in (redis, [*api, str(rows), today]):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            started.callback(process.wait)
            started.callback(process.kill)
        _until(lambda: urllib.request.urlopen(f"{API}/__stats", timeout=5))
        yield


@contextmanager
def _postgres(folder: Path) -> Iterator[None]:
    home = folder / "pg"
    home.mkdir()
    shutil.chown(home, "nobody")
    options = f"-p 5432 -k {home} -c listen_addresses={HUB_HOST} -c fsync=off -c max_connections=200"

    def run(program: str, *arguments: str) -> None:
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        command = [str(programs() / program), "-D", f"{home}/data", *arguments]
        subprocess.run(command, user="nobody", cwd="/", env=environment, check=True, stdout=subprocess.DEVNULL)

    run("initdb", "-A", "trust", "-U", "loader", "-E", "UTF8", "--no-sync")
    with (home / "data" / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {NETWORK} trust\n")
    run("pg_ctl", "-l", f"{home}/log", "-o", options, "-w", "start")
    try:
        yield
    finally:
        run("pg_ctl", "-m", "immediate", "-w", "stop")


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
    _until(lambda: _answers(hub))
    # dagster-postgres leaves connections to the garbage collector: a dozen launches at once use up a pool of 21
    ui = ["-h", HUB_HOST, "-p", "3000", "-w", "workspace.yaml", "--db-pool-max-overflow", "100"]
    started.append(hub.start("dagster-webserver", *ui))
    _until(lambda: urllib.request.urlopen(f"http://{HUB_HOST}:3000/server_info", timeout=5))
    started.append(hub.start("dagster-daemon", "run", "-w", "workspace.yaml"))
    for name, machine in found.items():
        ip("-n", HUB, "link", "set", name, "up")  # the phase before may have cut it off
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
    check = [str(_BIN / "dagster"), "api", "grpc-health-check", "-h", HUB_HOST, "-p", "4000"]
    if subprocess.run(check, env=hub.environment, capture_output=True, check=False).returncode:
        raise OSError("the code server does not answer yet")
    return True


def query(url: str, sql: str) -> list[tuple[object, ...]]:
    """Return the rows of a statement."""
    database = psycopg2.connect(url)
    try:
        database.autocommit = True
        with database.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        database.close()


def _until(works: Callable[[], object], tries: int = 120) -> None:
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
        _until(works, tries - 1)
