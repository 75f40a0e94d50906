"""Stand-ins in the process that executes a stranger's Python: for secrets and settings, modules, sources, pipelines.

A value that is not known is a text that names it, such as ``dlt.secrets["token"]``, so that it can be found again in
the configuration, whole or inside another text.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import inspect
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

CALLS = ("rest_api_source", "rest_api_resources", "rest_api_resource", "rest_api")
_FORMER = {
    "rest_api": "dlt.sources.rest_api",
    "rest_api.typing": "dlt.sources.rest_api.typing",
    "rest_api.auth": "dlt.sources.helpers.rest_client.auth",
    "rest_api.paginators": "dlt.sources.helpers.rest_client.paginators",
}
"""Where dlt has what ``dlt init rest_api`` copied beside a pipeline until version 1.0."""
_STEPS = ("add_map", "add_filter", "add_yield_map")
QUOTE = '"'
"""The quotation marks in the texts of unknown values; others tell what is computed from them."""
UNNAMED = "value"
"""What dlt calls a value that is to be found by the name of the argument."""


class Unknown(str):
    """A value that is not known, as the text that names it; parts of it are named by their path."""

    __slots__ = ("name", "section")
    section: str
    name: str

    def __new__(cls, section: str, name: str) -> Unknown:
        """Name the value ``name`` of dlt's ``secrets`` or ``config``."""
        made = super().__new__(cls, f"dlt.{section}[{QUOTE}{name}{QUOTE}]")
        made.section, made.name = section, name
        return made

    def __getitem__(self, key: Any) -> str:
        return Unknown(self.section, f"{self.name}.{key}") if isinstance(key, str) else super().__getitem__(key)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str) and not isinstance(other, Unknown):
            compared.setdefault(self.name, set()).add(str(other))
        return super().__eq__(other)

    __hash__ = str.__hash__

    def get(self, key: str, *_: Any) -> str:
        """Return a part of the value."""
        return self[key]


compared: dict[str, set[str]] = {}
"""What unknown values were compared with, by their names: each time they were taken for another value."""


class Section(dict[str, Any]):
    """dlt's secrets or config: answers every question with the name of what was asked for."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.value = Unknown(name, UNNAMED)

    def __getitem__(self, name: str) -> str:
        return Unknown(self._name, name)

    def get(self, name: str, *_: Any) -> str:
        """Return the name of a value."""
        return self[name]


@dataclass
class Found:
    """A configuration that was given to dlt, and what is done with its records afterwards."""

    config: Mapping[str, Any]
    source: MagicMock
    """What stands for the source that dlt would have made of it."""
    steps: list[dict[str, Any]] = field(default_factory=list)


found: list[Found] = []
missing: list[str] = []
"""Modules that are not installed."""


def take(config: Any = None, *_: Any, **keys: Any) -> MagicMock:
    """Keep a configuration, and return what stands for its source or for its list of resources."""
    config = config if config is not None else keys.get("config", keys)
    source = MagicMock(name="source")
    names = [each if isinstance(each, str) else each.get("name", "") for each in _resources(config)]
    entry = Found(config if isinstance(config, Mapping) else {}, source)
    resources = {name: _changed_later(MagicMock(name=name), name, entry) for name in names if isinstance(name, str)}
    _changed_later(source, "", entry)
    source.__iter__ = lambda _: iter(resources.values())
    source.__getitem__ = lambda _, key: [*resources.values()][key] if isinstance(key, int) else resources[key]
    source.resources = source.selected_resources = resources
    for name, resource in resources.items():
        setattr(source, name, resource)
    if "client" in entry.config and not any(config is one.config for one in found):
        found.append(entry)
    return source


def _resources(config: Any) -> list[Any]:
    given = config.get("resources") if isinstance(config, Mapping) else None
    return [each for each in given or [] if isinstance(each, (str, Mapping))]


def _changed_later(stand_in: MagicMock, resource: str, entry: Found) -> MagicMock:
    """Keep the functions that a source or resource gets to change its records."""

    def keeper(kind: str) -> Callable[..., MagicMock]:
        def keep(function: Any = None, *_: Any, **__: Any) -> MagicMock:
            entry.steps.append({"resource": resource, kind: function})
            return stand_in

        return keep

    for kind in _STEPS:
        setattr(stand_in, kind, keeper(kind))
    for method in ("add_limit", "with_resources", "parallelize", "apply_hints", "with_name"):
        getattr(stand_in, method).return_value = stand_in
    return stand_in


class _Modules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds every module that nobody else finds."""

    def find_spec(self, name: str, *_: Any) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] in ("dlt", "crm_assets"):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        missing.append(spec.name)
        return StandInModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


class StandInModule(ModuleType):
    """A module that is not there. What it has in common with dlt's REST API source by name is dlt's."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in CALLS:
            return take
        places = [*dict.fromkeys(_FORMER.values())]
        owner = next((module for module in map(sys.modules.get, places) if hasattr(module, name)), None)
        return getattr(owner, name) if owner else MagicMock(name=name)


def _run(*sources: Any, **_: Any) -> MagicMock:
    """Stand in for a pipeline's ``run``: what is a generator makes its configuration only when it is read."""
    for source in sources:
        if inspect.isgenerator(source):
            list(source)
    return MagicMock(name="load_info")


def _decorator(function: Any = None, **_: Any) -> Any:
    return function if callable(function) else lambda inner: inner


def _closed(*_: Any, **__: Any) -> None:
    raise OSError("nothing is requested while a configuration is read")


def install_stand_ins() -> None:
    """Put the stand-ins in place."""
    import dlt
    import dlt.sources.rest_api as rest_api

    source = MagicMock(name="source")
    source.resources = {"list": SimpleNamespace(incremental=SimpleNamespace(incremental=None))}
    socket.socket.connect = _closed  # type: ignore[method-assign]
    socket.create_connection = _closed  # type: ignore[assignment]
    for name in CALLS:
        setattr(rest_api, name, take)
    pipeline = MagicMock(name="pipeline")
    pipeline.return_value.run = _run
    current = SimpleNamespace(get_source=lambda: source)
    stand_ins = {"pipeline": pipeline, "current": current, "secrets": Section("secrets"), "config": Section("config")}
    for name, stand_in in {**stand_ins, **dict.fromkeys(("source", "resource", "transformer"), _decorator)}.items():
        setattr(dlt, name, stand_in)
    sys.modules |= {former: importlib.import_module(name) for former, name in _FORMER.items()}
    sys.meta_path.append(_Modules())


def texts_in(function: Any, depth: int = 2) -> set[str]:
    """Return the texts in a function's code and in that of the functions it calls: names of fields are among them.

    ``_content`` is among them, too, if it touches that attribute of an answer.
    """
    code = getattr(function, "__code__", None)
    if code is None:
        return set()
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    texts = {constant for each in (code, *inner) for constant in each.co_consts if isinstance(constant, str)}
    if any("_content" in each.co_names for each in (code, *inner)):
        texts.add("_content")
    called = (function.__globals__.get(name) for each in (code, *inner) for name in each.co_names)
    return texts.union(*(texts_in(each, depth - 1) for each in called if depth and inspect.isfunction(each)))
