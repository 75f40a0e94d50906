"""Runs in a process of its own: executes a stranger's Python and prints the REST API configurations it makes.

Nothing is requested and nothing is loaded: sockets are closed, dlt's sources, pipelines and decorators are stand-ins,
secrets are their names, and modules that are not installed are stand-ins, too. It is executed twice, the second time at
another moment and with other secrets' names: what differs was computed from them.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from crm_assets.declarations.importers.dlt_source.another_day import another_day
from crm_assets.declarations.importers.dlt_source.makers import failed, left_alone, made_by, makers
from crm_assets.declarations.importers.dlt_source.plain_data import plain
from crm_assets.declarations.importers.dlt_source.stand_ins import (
    StandInModule,
    Unknown,
    compared,
    found,
    install_stand_ins,
    missing,
)

_ENVIRONMENT = re.compile(r"""(?:environ\[|environ\.get\(|getenv\()\s*["'](\w+)["']""")


def execute_target(target: str) -> None:
    """Execute a file or a module, and call what makes configurations without being called.

    Args:
        target: Path of a file, or an object in one or in a module: ``file.py:object``, ``module:object``.
    """
    place, _, name = (target, "", "") if Path(target).is_file() else target.rpartition(":")
    path = Path(place).resolve()
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if text:
        for variable in _ENVIRONMENT.findall(text):
            if os.environ.get(variable, "dlt.secrets").startswith("dlt.secrets"):
                os.environ[variable] = Unknown("secrets", variable.lower())
        sys.path.insert(0, str(path.parent))
        names = vars(_module(path))
    else:
        sys.path.insert(0, str(Path.cwd()))
        names = vars(importlib.import_module(place))
    if name:
        _only(names[name])
        return
    for functions in makers(text) if text else ():
        for function in () if found else functions:
            made_by(names.get(function))
    if not found:
        for value in [*names.values()]:
            if isinstance(value, Mapping):
                made_by(value)


def _only(value: Any) -> None:
    """Keep what one object is or makes, and nothing that the module made on the way to it."""
    kept = [entry for entry in found if entry.source is value]
    found[:] = kept
    if not kept:
        made_by(value)


def _module(path: Path) -> ModuleType:
    """Execute a file as a module two packages deep, so that its relative imports lead to its siblings or stand-ins."""
    for name, folders in (("outer", [str(path.parent.parent)]), ("outer.inner", [str(path.parent)])):
        package = StandInModule(name)
        package.__path__ = folders
        sys.modules[name] = package
    _neighbours(path)
    spec = importlib.util.spec_from_file_location(f"outer.inner.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _neighbours(path: Path) -> None:
    """Let absolute imports of the file's own package lead to its siblings: ``crm.sources.desk.settings``."""
    for name in re.findall(r"^\s*from\s+([\w.]+\.(\w+))\s+import", path.read_text(encoding="utf-8"), re.MULTILINE):
        whole, last = name
        sibling = path.parent / f"{last}.py"
        inside = path.parent.name in whole.split(".") or f"{path.parent.name}." in whole
        if inside and sibling.is_file() and sibling != path:
            spec = importlib.util.spec_from_file_location(whole, sibling)
            if spec and spec.loader and whole not in sys.modules:
                module = importlib.util.module_from_spec(spec)
                sys.modules[whole] = module
                spec.loader.exec_module(module)


def _taken(target: str) -> dict[str, Any]:
    """Return the configurations that a target makes, as plain data, and what was assumed or went wrong."""
    found.clear()
    failed.clear()
    compared.clear()
    for named in left_alone.values():
        named.clear()
    problem = ""
    try:
        execute_target(target)
    except (Exception, SystemExit) as error:
        problem = f"{type(error).__name__}: {error}"
    taken = [{"config": plain(entry.config), "steps": [_step(step) for step in entry.steps]} for entry in found]
    chosen = {name: sorted(others) for name, others in compared.items()}
    return {"taken": taken, "problem": problem or "; ".join(failed), "compared": chosen, **left_alone}


def _step(given: dict[str, Any]) -> dict[str, Any]:
    (kind, function) = next((key, value) for key, value in given.items() if key != "resource")
    return {"resource": given["resource"], kind: plain({"filter": function})["filter"]}


def print_captures() -> None:
    """Print what the target makes as JSON."""
    with contextlib.redirect_stdout(io.StringIO()):
        install_stand_ins()
        answer = json.dumps(_taken(sys.argv[1]))
        with another_day():
            again = _taken(sys.argv[1])["taken"]
    sys.stdout.write(json.dumps({**json.loads(answer), "again": again, "missing": missing}))


if __name__ == "__main__":
    print_captures()
