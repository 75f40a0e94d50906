"""What libraries find out again and again, found out once per process.

dlt asks for each of two thousand possible settings of a load whether its type is that of a secret, and looks the types
of a schema's fields up for each column. Dagster marks the databases of each new instance as migrated, for which Alembic
reads all migrations.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from alembic.script import ScriptDirectory
from dlt.common import validation
from dlt.common.configuration.providers import environ

_read = ScriptDirectory.from_config
_migrations: dict[str, ScriptDirectory] = {}


def find_once() -> None:
    """Let the libraries of this process remember it."""
    ScriptDirectory.from_config = staticmethod(_from_config)  # type: ignore[method-assign]
    environ.is_secret_hint = _remembering(environ.is_secret_hint)  # type: ignore[attr-defined]
    validation.get_type_hints = _type_hints(validation.get_type_hints)  # type: ignore[attr-defined]


def _from_config(config: Any) -> ScriptDirectory:
    folder = str(config.get_main_option("script_location"))
    if folder not in _migrations:
        _migrations[folder] = _read(config)
    return _migrations[folder]


def _remembering(function: Callable[..., Any]) -> Callable[..., Any]:
    known = cache(function)

    @wraps(function)
    def remembered(hint: Any) -> Any:
        try:
            return known(hint)
        except TypeError:  # a type without a hash
            return function(hint)

    return remembered


def _type_hints(function: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[type, Any] = {}

    @wraps(function)
    def remembered(spec: type, globalns: Any = None) -> Any:
        if spec not in known:
            known[spec] = function(spec, globalns=globalns)
        return known[spec]

    return remembered
