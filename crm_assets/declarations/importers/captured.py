"""Configurations that a stranger's Python makes, as data: it runs in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.importers.losses import Notes

_TIMEOUT = 120
"""Seconds; importing dlt takes some."""
_PASSED_ON = ("PATH", "HOME", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "TMPDIR", "SYSTEMROOT")
"""What the stranger's code sees of the environment: no secret is among it."""


def captured(target: str, notes: Notes) -> dict[str, Any]:
    """Return the configuration that a Python file or ``module:object`` gives to dlt's REST API source.

    Args:
        target: Path of a file, or ``module:object``.
        notes: Takes what else it holds.

    Raises:
        SpecError: It makes none.
    """
    path = Path(target)
    target = str(path.resolve()) if path.is_file() else target
    command = [sys.executable, "-m", "crm_assets.declarations.importers.capture", target]
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise SpecError(f"did not finish within {_TIMEOUT} s", target) from None
    except ValueError:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SpecError(f"cannot be executed ({said[:200]})", target) from None
    return _one(answer, target, notes)


def _one(answer: dict[str, Any], target: str, notes: Notes) -> dict[str, Any]:
    configs = answer["configs"]
    if not configs:
        why = f" ({answer['problem'][:200]})" if answer["problem"] else ""
        raise SpecError(f"makes no configuration of dlt's REST API source{why}", target)
    if answer["missing"]:
        names = ", ".join(sorted({name.partition(".")[0] for name in answer["missing"]}))
        notes.add("assumed", f"modules that are not installed were stand-ins: {names}")
    known = [_identity(configs[0])]
    for config in configs[1:]:
        if (identity := _identity(config)) not in known:
            known.append(identity)
            notes.add("lost", f"another source, at {identity[0]}; import it by module:object")
    first: dict[str, Any] = configs[0]
    return first


def _identity(config: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the address and the lists of a configuration: a function called twice makes the same source twice."""
    resources = config.get("resources") or []
    names = [str(one.get("name") if isinstance(one, dict) else one) for one in resources]
    return str((config.get("client") or {}).get("base_url")), names
