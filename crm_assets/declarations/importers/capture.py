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

CALLS = ("rest_api_source", "rest_api_resources", "rest_api")
_ENVIRONMENT = re.compile(r"""(?:environ\[|environ\.get\(|getenv\()\s*["'](\w+)["']""")
found: list[Any] = []
missing: list[str] = []


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


def _decorator(function: Any = None, **_: Any) -> Any:
    return function if callable(function) else lambda inner: inner


def _closed(*_: Any, **__: Any) -> None:
    raise OSError("nothing is requested while a configuration is read")


def prepare() -> None:
    """Put the stand-ins in place."""
    import dlt
    import dlt.sources.rest_api as rest_api

    socket.socket.connect = _closed  # type: ignore[method-assign]
    socket.create_connection = _closed  # type: ignore[assignment]
    for name in CALLS:
        setattr(rest_api, name, _capture)
    secrets = _Secrets()
    stand_ins = {"pipeline": MagicMock(name="pipeline"), "secrets": secrets, "config": secrets}
    for name, stand_in in {**stand_ins, **dict.fromkeys(("source", "resource", "transformer"), _decorator)}.items():
        setattr(dlt, name, stand_in)
    sys.meta_path.append(_StandIns())


def run(target: str) -> None:
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
        names, makers = vars(importlib.import_module(module)), [name]
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
    for name, folders in (("outer", []), ("outer.inner", [str(path.parent)])):
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
    """Return the functions of a module that speak of REST API configurations, in their order."""
    words = (*CALLS, "RESTAPIConfig")
    tree = ast.parse(text)
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(inner, ast.Name) and inner.id in words for inner in ast.walk(node))
    ]


def _take(value: Any) -> None:
    if isinstance(value, Mapping):
        if "client" in value and "resources" in value:
            _capture(value)
        return
    if not callable(value):
        return
    with contextlib.suppress(Exception):
        made = value(**_arguments(value))
        if inspect.isgenerator(made):
            made = list(made)
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


def plain(value: Any) -> Any:
    """Return a configuration as plain data; what is none is told by its name."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, MagicMock):
        return {"__stand_in__": str(value)[:80]}
    kind = type(value).__name__
    if _is_of_dlt(value) and kind in _OBJECTS:
        return _OBJECTS[kind](value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return {"__code__": getattr(value, "__name__", kind)}


def _is_of_dlt(value: Any) -> bool:
    return type(value).__module__.startswith("dlt.")


def _path(value: Any) -> str | None:
    return None if value is None else str(value)


def _ranged(value: Any, kind: str, keys: dict[str, str]) -> dict[str, Any]:
    common = {
        "type": kind,
        "total_path": _path(value.total_path),
        "has_more_path": _path(value.has_more_path),
        "stop_after_empty_page": value.stop_after_empty_page,
    }
    found = {key: getattr(value, attribute, None) for key, attribute in keys.items()}
    return {**common, **{key: item for key, item in found.items() if item is not None}}


_PAGES = {
    "base_page": "base_index",
    "page": "initial_value",
    "page_param": "param_name",
    "page_body_path": "param_body_path",
    "maximum_page": "maximum_value",
}
_OFFSETS = {
    "limit": "limit",
    "offset": "initial_value",
    "offset_param": "param_name",
    "offset_body_path": "param_body_path",
    "limit_param": "limit_param",
    "limit_body_path": "limit_body_path",
    "maximum_offset": "maximum_value",
}
_OBJECTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "SinglePagePaginator": lambda _: {"type": "single_page"},
    "HeaderLinkPaginator": lambda one: {"type": "header_link", "links_next_key": one.links_next_key},
    "JSONLinkPaginator": lambda one: {"type": "json_link", "next_url_path": _path(one.next_url_path)},
    "JSONResponsePaginator": lambda one: {"type": "json_link", "next_url_path": _path(one.next_url_path)},
    "HeaderCursorPaginator": lambda one: {
        "type": "header_cursor",
        "cursor_key": one.cursor_key,
        "cursor_param": one.cursor_param,
    },
    "JSONResponseCursorPaginator": lambda one: {
        "type": "cursor",
        "cursor_path": _path(one.cursor_path),
        "cursor_param": one.cursor_param,
        "cursor_body_path": _path(one.cursor_body_path),
        "has_more_path": _path(one.has_more_path),
        "stop_after_empty_page": one.stop_after_empty_page,
    },
    "PageNumberPaginator": lambda one: _ranged(one, "page_number", _PAGES),
    "OffsetPaginator": lambda one: _ranged(one, "offset", _OFFSETS),
    "BearerTokenAuth": lambda one: {"type": "bearer", "token": plain(one.token)},
    "APIKeyAuth": lambda one: {
        "type": "api_key", "name": one.name, "api_key": plain(one.api_key), "location": one.location,
    },
    "HttpBasicAuth": lambda one: {
        "type": "http_basic", "username": plain(one.username), "password": plain(one.password),
    },
    "OAuth2ClientCredentials": lambda one: {
        "type": "oauth2_client_credentials",
        "access_token_url": plain(one.access_token_url),
        "client_id": plain(one.client_id),
        "client_secret": plain(one.client_secret),
        "access_token_request_data": plain(one.access_token_request_data or {}),
    },
    "Incremental": lambda one: {
        "type": "incremental", "cursor_path": one.cursor_path, "initial_value": plain(one.initial_value),
        "end_value": plain(one.end_value),
    },
}  # fmt: skip


def main() -> None:
    """Print what the target makes as JSON."""
    with contextlib.redirect_stdout(io.StringIO()):
        prepare()
        problem = ""
        try:
            run(sys.argv[1])
        except (Exception, SystemExit) as error:
            problem = f"{type(error).__name__}: {error}"
    sys.stdout.write(json.dumps({"configs": plain(found), "missing": missing, "problem": problem}))


if __name__ == "__main__":
    main()
