"""The contenders: what each is called, where it runs and where its rows end up."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
VENVS = FOLDER / ".venvs"
SUMMARY = "summary.json"
"""File in the working folder in which our contender reports its stages; see the README."""
REQUIREMENTS = {
    "floors": "floors/requirements.txt",
    "dlt": "dlt/requirements.txt",
    "pyairbyte": "pyairbyte/requirements.txt",
    "singer_tap": "singer/requirements-tap.txt",
    "singer_target": "singer/requirements-target.txt",
    "machines": "machines/requirements.txt",
}
"""Environments and their requirement files; the project's own is the one that runs the harness."""

FOREIGN = ("CRM_ASSETS_", "DAGSTER_", "DESTINATION__", "DLT_", "PYTHONDONTWRITEBYTECODE", "SOURCES__")
QUIET = {
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "DO_NOT_TRACK": "1",
    "PYTHONWARNINGS": "ignore",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
}


@dataclass(frozen=True)
class Contender:
    """One way to get the list into DuckDB."""

    name: str
    title: str
    venvs: tuple[str, ...]
    """Environments it needs; the first one runs it. None for the project's own."""
    script: tuple[str, ...]
    """Script below ``contenders/``, or a program beside the interpreter, and its arguments."""
    database: str | None = "warehouse.duckdb"
    """DuckDB file in the working folder; ``None`` when nothing is stored."""
    table: str = "records"
    """Table of a list; ``{connection}`` and ``{list}`` are filled in."""

    @property
    def python(self) -> Path:
        """The interpreter that runs it."""
        return VENVS / self.venvs[0] / "bin" / "python" if self.venvs else Path(sys.executable)

    @property
    def command(self) -> list[str]:
        """The command line."""
        if not self.script[0].endswith(".py"):
            return [str(self.python.with_name(self.script[0])), *self.script[1:]]
        return [str(self.python), str(FOLDER / "contenders" / self.script[0]), *self.script[1:]]

    def missing(self) -> str | None:
        """Return what keeps it from running here, as a sentence, or ``None``."""
        for name in self.venvs:
            if not (VENVS / name / "bin" / "python").exists():
                return f"environment {name} is missing: run `python benchmarks/venvs.py {name}`"
        if not Path(self.command[0]).exists():
            return f"{self.command[0]} is missing: install the project into the environment that runs the harness"
        return None


def _dlt(name: str, title: str, *arguments: str) -> Contender:
    return Contender(name, title, ("dlt",), ("dlt/sync.py", *arguments), table="bench.records")


def _floor(letter: str, title: str, stored: bool = True) -> Contender:
    database = "warehouse.duckdb" if stored else None
    return Contender(f"floor_{letter}", title, ("floors",), (f"floors/floor_{letter}.py",), database)


OURS = Contender(
    "crm_assets",
    "crm-assets sync",
    (),
    ("crm-assets", "sync", "--json", SUMMARY),
    database="data/warehouse.duckdb",
    table="{connection}.{list}",
)

CONTENDERS = {
    contender.name: contender
    for contender in (
        OURS,
        Contender("crm_assets_load", "load the code location", (), ("crm_assets/load.py",), None),
        Contender("imports", "import dagster, dlt", (), ("dlt/imports.py",), None),
        Contender(
            "pyairbyte",
            "PyAirbyte, declarative manifest",
            ("pyairbyte",),
            ("pyairbyte/sync.py",),
            table="bench.records",
        ),
        Contender(
            "singer",
            "Singer: tap-rest-api-msdk, target-duckdb",
            ("singer_tap", "singer_target"),
            ("singer/sync.py",),
            table="bench.records",
        ),
        _dlt("dlt_documented", "dlt rest_api as documented"),
        _dlt("dlt_assets", "dlt rest_api as documented, dlt_assets", "--dagster"),
        _dlt("dlt_tuned", "dlt rest_api tuned", "--tuned"),
        _dlt("dlt_tuned_assets", "dlt rest_api tuned, dlt_assets", "--tuned", "--dagster"),
        Contender(
            "dlt_systems",
            "five bare dlt pipelines",
            ("dlt",),
            ("dlt/systems.py",),
            table="{connection}.{list}",
        ),
        _floor("a", "floor A: fetch, discard", stored=False),
        _floor("a_serial", "floor A: fetch one by one, discard", stored=False),
        _floor("b", "floor B: page files, read_json"),
        _floor("c", "floor C: orjson, Arrow"),
        _floor("d", "floor D: from_json, streamed"),
    )
}


def environment() -> dict[str, str]:
    """Return the environment every contender starts from: ours, without foreign configuration, telemetry off.

    Byte code is kept, as on any machine where a program is started more than once.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    return {**kept, **QUIET}
