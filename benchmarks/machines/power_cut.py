"""A machine that is lost in the middle of a run."""

from __future__ import annotations

import time
from typing import Any

from machines.apis import api
from machines.dagster_ui import runs
from machines.fleet import Fleet, Machine
from machines.namespaces import cut_off, kill, position
from machines.postgres import query


class PowerCut:
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
            name = list(self._machines)[position(str(rows[0][0]))]
            cut_off(name)
            kill(name)
            self._killed = time.monotonic()
            self.report = {"killed": name, "runs then": runs(self._fleet)}
