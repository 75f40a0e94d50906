"""One worker against three on machines of their own: the same tables, the vendor's limit, a dead machine, the time.

    apt-get install postgresql redis-server iproute2
    python benchmarks/venvs.py machines
    sudo benchmarks/.venvs/machines/bin/python benchmarks/many_machines.py [tables] [throughput] [steps] [--small]

``tables``: all lists and 90 days of all windows, once by one worker and once by three, one of whose machines is killed
in the middle of a run. ``throughput``: six accounts whose API takes its time. ``steps``: the same accounts as steps of
one run, which two workers share by ``celery_executor``, once undisturbed and once with a machine lost. The
modules in ``machines`` make all of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from machines.accounts import TODAY, connections
from machines.hub import servers
from machines.namespaces import HUB, namespaces
from machines.steps import compare_steps
from machines.tables import compare_tables
from machines.throughput import compare_throughput

MACHINES = ("crm1", "crm2", "crm3")
INSIDE = "--inside"


def inside(arguments: list[str]) -> None:
    """Measure, in the hub's namespace."""
    small = "--small" in arguments
    chosen = [each for each in arguments if not each.startswith("-")] or ["tables", "throughput"]
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
                        measured = compare_tables(folder, file, MACHINES, days)
                    case "throughput":
                        measured = compare_throughput(folder, file, MACHINES, 0.2 if small else 4.0)
                    case _:
                        measured = compare_steps(folder, file, MACHINES[:2], 0.2 if small else 1.0)
                print(json.dumps({each: measured}, indent=1, default=str), flush=True)


def main() -> None:
    """Make the machines, and measure in the hub."""
    if INSIDE in sys.argv:
        inside([each for each in sys.argv[1:] if each != INSIDE])
        return
    with namespaces(MACHINES):
        command = [sys.executable, str(Path(__file__).resolve()), *sys.argv[1:], INSIDE]
        sys.exit(subprocess.run(["ip", "netns", "exec", HUB, *command], check=False).returncode)


if __name__ == "__main__":
    main()
