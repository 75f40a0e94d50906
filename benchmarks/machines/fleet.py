"""A fleet: what each machine's folder, environment and ``dagster.yaml`` are, and the settings of its workers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from crm_assets.declarations.connections import load_connections
from crm_assets.sandbox import sandbox_environment
from machines.namespaces import HUB_HOST

SERVER = f"postgresql://loader:trusted@{HUB_HOST}:5432"
API = f"http://{HUB_HOST}:8765"
SCRIPTS = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


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
        program = str(BIN / command[0])
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
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PYTHONPATH": f"{SCRIPTS}:{SCRIPTS.parent}",
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
