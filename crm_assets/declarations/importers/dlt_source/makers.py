"""Calls of a stranger's functions that make configurations: which to call, and with what."""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Callable, Mapping
from traceback import walk_tb
from types import FrameType
from typing import Any

from crm_assets.declarations.importers.dlt_source.stand_ins import CALLS, UNNAMED, Unknown, found, take

_SECRET = ("token", "secret", "key", "password", "credential")
_MOST_CHOICES = 500
"""Lists that a function is asked for one by one: more than any API has in one pipeline."""
_MOST_HELPERS = 5
failed: list[str] = []
"""What went wrong in functions that were called with stand-ins."""
left_alone: dict[str, list[str]] = {"not made": [], "stood in": [], "defaults": []}
"""Choices for which a function made no configuration, functions that a stand-in stood in for, and arguments that kept
their defaults."""


def makers(text: str) -> tuple[list[str], list[str]]:
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
    in_order = [name for name in speaks if name in leading]
    return [name for name in in_order if name not in called], [name for name in in_order if name in called]


def made_by(value: Any) -> None:
    """Take the configuration that a value is, or that a function makes when it is called."""
    if isinstance(value, Mapping):
        if "client" in value and "resources" in value:
            take(value)
    elif callable(value):
        before, given = len(found), _arguments(value)
        problem = _called(value, given)
        if problem and len(found) == before and (optional := _optional(value)):
            problem = _called(value, {**given, **optional})
        if len(found) > before:
            left_alone["defaults"] += [f"{each.name}={each.default}" for each in _parameters(value) if _steers(each)]
        elif problem:
            failed.append(f"{getattr(value, '__name__', value)}: {type(problem).__name__}: {problem}")


def _called(function: Callable[..., Any], given: dict[str, Any], helpers: int = _MOST_HELPERS) -> Exception | None:
    """Call a function; where one of its arguments chooses from a mapping, once for each choice."""
    try:
        made = function(**given)
        if inspect.isgenerator(made):
            made = list(made)
    except Exception as error:  # of code that is not ours: it is returned, or called again
        frame = [frame for frame, _ in walk_tb(error.__traceback__)][-1]
        name = next((name for name, value in given.items() if error.args and value is error.args[0]), None)
        choices = _keys_near(frame)[:_MOST_CHOICES] if name and isinstance(error, KeyError) else []
        if choices:
            return _chosen(function, given, str(name), choices)
        return _called(function, given, helpers - 1) if helpers and _stood_in(frame, function) else error
    if isinstance(made, Mapping):
        made_by(made)
    return None


def _chosen(function: Callable[..., Any], given: dict[str, Any], name: str, choices: list[str]) -> Exception | None:
    problems = []
    for choice in choices:
        before = len(found)
        problems.append(_called(function, {**given, name: choice}))
        if len(found) == before:
            left_alone["not made"].append(choice)
    return next((problem for problem in problems if problem), None)


def _stood_in(frame: FrameType, maker: Callable[..., Any]) -> bool:
    """Replace a function that cannot do without a real value by the name of what it returns; whether there was one."""
    name = frame.f_code.co_name
    own = frame.f_globals.get(name)
    if own is maker or not inspect.isfunction(own) or own.__globals__ is not getattr(maker, "__globals__", None):
        return False
    frame.f_globals[name] = lambda *_, **__: Unknown("config", name)
    left_alone["stood in"].append(name)
    return True


def _keys_near(frame: FrameType) -> list[str]:
    used = [frame.f_globals[name] for name in frame.f_code.co_names if name in frame.f_globals]
    for value in (*frame.f_locals.values(), *used):
        if isinstance(value, Mapping) and value and all(isinstance(key, str) for key in value):
            return [*value]
    return []


def _arguments(function: Callable[..., Any]) -> dict[str, Any]:
    """Return a value for every argument that has none: what names it, or settings with their defaults."""
    return {
        each.name: _argument(each, function)
        for each in _parameters(function)
        if each.default is each.empty or (isinstance(each.default, Unknown) and each.default.name == UNNAMED)
    }


def _argument(given: inspect.Parameter, function: Callable[..., Any]) -> Any:
    try:
        kind = typing.get_type_hints(function).get(given.name)
        if isinstance(kind, type) and kind.__module__ not in ("builtins", "datetime"):
            return kind()
    except Exception:  # noqa: S110 (an annotation of somebody else's that cannot be evaluated or called)
        pass
    return Unknown(_section(given), given.name)


def _section(given: inspect.Parameter) -> str:
    if isinstance(given.default, Unknown):
        return given.default.section
    return "secrets" if any(word in given.name.lower() for word in _SECRET) else "config"


def _optional(function: Callable[..., Any]) -> dict[str, Any]:
    """Return a value for every argument that may be left out, and is needed after all."""
    words = (str, "str", None)
    return {
        each.name: Unknown(_section(each), each.name)
        for each in _parameters(function)
        if each.default is None and (each.annotation in words or "str" in str(each.annotation).split("[")[0])
    }


def _steers(given: inspect.Parameter) -> bool:
    return isinstance(given.default, bool)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        given = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [each for each in given if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
