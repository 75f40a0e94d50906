"""Configurations that a stranger's Python makes, as data: it runs in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crm_assets.declarations.document import Document
from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.importers.losses import Notes

_TIMEOUT = 120
"""Seconds; importing dlt takes some."""
_PASSED_ON = ("PATH", "HOME", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "TMPDIR", "SYSTEMROOT")
"""What the stranger's code sees of the environment: no secret is among it."""
_STEPS = {"add_map": "map", "add_filter": "filter", "add_yield_map": "yield_map"}
"""Methods of a source or resource, and what they are called in a configuration."""


def captured(target: str, notes: Notes) -> list[Document]:
    """Return the configurations that Python gives to dlt's REST API source, one for each API.

    Args:
        target: Path of a file, or an object in a file or a module: ``file.py:object``, ``module:object``.
        notes: Takes what is not a configuration.

    Raises:
        SpecError: It makes none.
    """
    answer = _answer(target)
    if not answer["taken"]:
        why = f" ({answer['problem'][:200]})" if answer["problem"] else ""
        absent = f"; not installed, and not beside it: {', '.join(_packages(answer))}" if answer["missing"] else ""
        raise SpecError(f"makes no configuration of dlt's REST API source{why}{absent}", target)
    _assumptions(answer, notes)
    if answer["missing"]:
        notes.add("assumed", f"modules that are not installed were stand-ins: {', '.join(_packages(answer))}")
    again = json.loads(re.sub(r"(dlt\.(?:secrets|config))\['([^']*)'\]", r'\1[\\"\2\\"]', json.dumps(answer["again"])))
    for first, second in zip(answer["taken"], again, strict=False):
        _without_computed(first["config"], second["config"], notes)
    return _by_api([_with_steps(**taken) for taken in answer["taken"]])


def _assumptions(answer: Document, notes: Notes) -> None:
    for name, others in answer["compared"].items():
        notes.add("assumed", f"{name}, an argument or setting, is not {' or '.join(map(repr, others))}")
    for name in answer["stood in"]:
        notes.add("assumed", f"what the function {name} returns cannot be known; it is a parameter of that name")
    if answer["defaults"]:
        notes.add("assumed", f"arguments have their defaults: {', '.join(dict.fromkeys(answer['defaults']))}")
    if answer["not made"]:
        notes.add("left out", "custom code reads it", *answer["not made"])


def _answer(target: str) -> Document:
    path = Path(target)
    target = str(path.resolve()) if path.is_file() else target
    command = [sys.executable, "-m", "crm_assets.declarations.importers.dlt_source.capture", target]
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL", "PYTHONHASHSEED": "0"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
        answer: Document = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise SpecError(f"did not finish within {_TIMEOUT} s", target) from None
    except ValueError:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SpecError(f"cannot be executed ({said[:200]})", target) from None
    return answer


def _packages(answer: Document) -> list[str]:
    names = {name.removeprefix("outer.inner.").removeprefix("outer.").partition(".")[0] for name in answer["missing"]}
    return sorted(names - {"outer", "inner"})


def _without_computed(first: Any, second: Any, notes: Notes) -> None:
    """Say what was another value at another moment or with another secret, and send none of it."""
    for holder, key, place in [*_differences(first, second, ())]:
        where = ".".join(str(part) for part in place if not isinstance(part, int))
        resource = [str(part["name"]) for part in _holders(first, place) if "endpoint" in part and "name" in part]
        if key == "initial_value":
            notes.add("assumed", f"{where} is computed at each run; here it is {holder[key]}", *resource[-1:])
        elif {"params", "json", "headers"} & {*place}:
            del holder[key]
            notes.add("lost", f"{where} is computed at each run, from the time or a secret: it is not sent", *resource)
        else:
            notes.add("lost", f"{where} is computed at each run; here it is {holder[key]}", *resource)


def _differences(first: Any, second: Any, place: tuple[Any, ...]) -> Iterator[tuple[Any, Any, tuple[Any, ...]]]:
    if isinstance(first, dict) and isinstance(second, dict):
        pairs = [(key, first[key], second.get(key)) for key in first]
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        pairs = [(index, one, other) for index, (one, other) in enumerate(zip(first, second, strict=True))]
    else:
        return
    for key, one, other in pairs:
        if isinstance(one, (dict, list)) and type(one) is type(other):
            yield from _differences(one, other, (*place, key))
        elif one != other:
            yield first, key, (*place, key)


def _holders(value: Any, place: tuple[Any, ...]) -> Iterator[Document]:
    for key in place:
        if isinstance(value, dict):
            yield value
        value = value[key] if isinstance(value, list) or key in value else {}


def _with_steps(config: Document, steps: list[Document]) -> Document:
    """Return a configuration with what is done with its records later among the steps of its resources."""
    given = config.get("resources") or []
    resources: list[Document] = [{"name": each} if isinstance(each, str) else each for each in given]
    for step in steps:
        for resource in resources:
            if step["resource"] in ("", resource.get("name")):
                kind = next(key for key in step if key in _STEPS)
                resource.setdefault("processing_steps", []).append({_STEPS[kind]: step[kind]})
    return {**config, "resources": resources}


def _by_api(configs: list[Document]) -> list[Document]:
    """Return one configuration for each client: a function may make one for every list, and be called twice."""
    found: list[Document] = []
    for config in configs:
        whole = {key: value for key, value in config.items() if key != "resources"}
        same = next((one for one in found if {**one, "resources": 0} == {**whole, "resources": 0}), None)
        if same is None:
            found.append(same := {**whole, "resources": []})
        known = [resource.get("name") for resource in same["resources"]]
        same["resources"] += [each for each in config["resources"] if each.get("name") not in known]
    return found


def api_name(config: Document) -> str:
    """Return a name for one of several APIs, from its address: ``shop`` for ``https://api.shop.example``."""
    host = (urlsplit(str((config.get("client") or {}).get("base_url"))).hostname or "").split(".")
    return host[-2] if len(host) > 1 else host[0] or "further"
