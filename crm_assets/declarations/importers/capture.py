"""Runs in a process of its own: executes a stranger's Python and prints the REST API configurations it makes.

Nothing is requested and nothing is loaded: sockets are closed, dlt's sources, pipelines and decorators are stand-ins,
secrets are their names, and modules that are not installed are stand-ins, too.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import io
import json
import os
import re
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

from crm_assets.declarations.importers.plain_data import plain

_FORMER = {
    "rest_api": "dlt.sources.rest_api",
    "rest_api.typing": "dlt.sources.rest_api.typing",
    "rest_api.auth": "dlt.sources.helpers.rest_client.auth",
    "rest_api.paginators": "dlt.sources.helpers.rest_client.paginators",
}
"""Where dlt has what ``dlt init rest_api`` copied beside a pipeline until version 1.0."""
CALLS = ("rest_api_source", "rest_api_resources", "rest_api")
_ENVIRONMENT = re.compile(r"""(?:environ\[|environ\.get\(|getenv\()\s*["'](\w+)["']""")
found: list[Any] = []
missing: list[str] = []
failed: list[str] = []
"""What went wrong in functions that were called with stand-ins."""


class _Secrets(dict[str, Any]):
    """Answers every question for a secret with its name."""

    value = 'dlt.secrets["value"]'

    def __getitem__(self, name: str) -> str:
        return f'dlt.secrets["{name}"]'

    def get(self, name: str, *_: Any) -> str:
        return self[name]


class _StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds every module that nobody else finds."""

    def find_spec(self, name: str, *_: Any) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] in ("dlt", "crm_assets"):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        missing.append(spec.name)
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _capture if name in CALLS else MagicMock(name=name)


def _capture(config: Any = None, *_: Any, **keys: Any) -> MagicMock:
    config = config if config is not None else keys.get("config", keys)
    if isinstance(config, Mapping) and "client" in config and not any(config is one for one in found):
        found.append(config)
    result = MagicMock(name="source")
    result.__iter__ = lambda _: iter(())
    return result


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


def install_captures() -> None:
    """Put the stand-ins in place."""
    import dlt
    import dlt.sources.rest_api as rest_api

    socket.socket.connect = _closed  # type: ignore[method-assign]
    socket.create_connection = _closed  # type: ignore[assignment]
    for name in CALLS:
        setattr(rest_api, name, _capture)
    secrets = _Secrets()
    pipeline = MagicMock(name="pipeline")
    pipeline.return_value.run = _run
    stand_ins = {"pipeline": pipeline, "secrets": secrets, "config": secrets}
    for name, stand_in in {**stand_ins, **dict.fromkeys(("source", "resource", "transformer"), _decorator)}.items():
        setattr(dlt, name, stand_in)
    sys.modules |= {former: importlib.import_module(name) for former, name in _FORMER.items()}
    sys.meta_path.append(_StandIns())


def execute_target(target: str) -> None:
    """Execute a file or a module, and call what makes configurations without being called.

    Args:
        target: Path of a file, or ``module:object``.
    """
    module, _, name = target.partition(":") if not Path(target).is_file() else (target, "", "")
    if Path(module).is_file():
        text = Path(module).read_text(encoding="utf-8")
        for variable in _ENVIRONMENT.findall(text):
            os.environ.setdefault(variable, f'dlt.secrets["{variable.lower()}"]')
        sys.path.insert(0, str(Path(module).resolve().parent))
        names = vars(_module(Path(module).resolve()))
        makers = _makers(text)
    else:
        sys.path.insert(0, str(Path.cwd()))
        names, makers = vars(importlib.import_module(module)), []
    if name:
        _take(names[name])
        return
    for maker in makers:
        _take(names.get(maker))
    if not found:
        for value in [*names.values()]:
            if isinstance(value, Mapping):
                _take(value)


def _module(path: Path) -> ModuleType:
    """Execute a file as a module two packages deep, so that its relative imports lead to its siblings or stand-ins."""
    for name, folders in (("outer", [str(path.parent.parent)]), ("outer.inner", [str(path.parent)])):
        package = _StandIn(name)
        package.__path__ = folders
        sys.modules[name] = package
    spec = importlib.util.spec_from_file_location(f"outer.inner.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _makers(text: str) -> list[str]:
    """Return the functions of a module that lead to REST API configurations: first those that no other one calls."""
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    speaks = {
        function.name: {inner.id for inner in ast.walk(function) if isinstance(inner, ast.Name)} - {function.name}
        for function in functions
    }
    leading: set[str] = set()
    words = {*CALLS, "RESTAPIConfig"}
    while further := {name for name, used in speaks.items() if used & (words | leading)} - leading:
        leading |= further
    called = {name for one in leading for name in speaks[one] & leading}
    return sorted((name for name in speaks if name in leading), key=called.__contains__)


def _take(value: Any) -> None:
    if isinstance(value, Mapping):
        if "client" in value and "resources" in value:
            _capture(value)
        return
    if not callable(value):
        return
    try:
        made = value(**_arguments(value))
        if inspect.isgenerator(made):
            made = list(made)
    except Exception as error:  # it is somebody else's code: anything can be raised
        failed.append(f"{getattr(value, '__name__', value)}: {type(error).__name__}: {error}")
        return
    if isinstance(made, Mapping):
        _take(made)


def _arguments(function: Callable[..., Any]) -> dict[str, Any]:
    """Return a value for every argument that has none: its name, as a secret's."""
    parameters = inspect.signature(function).parameters.values()
    return {
        each.name: f'dlt.secrets["{each.name}"]'
        for each in parameters
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
        and (each.default is each.empty or each.default == _Secrets.value)
    }


def print_captures() -> None:
    """Print what the target makes as JSON."""
    with contextlib.redirect_stdout(io.StringIO()):
        install_captures()
        problem = ""
        try:
            execute_target(sys.argv[1])
        except (Exception, SystemExit) as error:
            problem = f"{type(error).__name__}: {error}"
    problem = problem or "; ".join(failed)
    sys.stdout.write(json.dumps({"configs": plain(found), "missing": missing, "problem": problem}))


if __name__ == "__main__":
    print_captures()
