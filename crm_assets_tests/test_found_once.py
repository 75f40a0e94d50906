"""What tests let libraries remember is still asked for where it is replaced, and remembered as it was."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, TypedDict

import dagster as dg
import pytest
from alembic.script import ScriptDirectory
from dlt.common import validation
from dlt.common.configuration.providers import environ
from dlt.common.configuration.specs.base_configuration import is_secret_hint
from dlt.common.typing import TSecretStrValue

from crm_assets_tests import found_once


class _Rows(TypedDict):
    count: int


def test_the_migrations_of_dagster_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: Counter[str] = Counter()

    def counted(config: Any) -> ScriptDirectory:
        read[str(config.get_main_option("script_location"))] += 1
        return real(config)

    real = found_once._read
    monkeypatch.setattr(found_once, "_read", counted)
    monkeypatch.setattr(found_once, "_migrations", {})
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        dg.DagsterInstance.ephemeral(tempdir=str(tmp_path / name)).dispose()
    assert set(read.values()) == {1}


def test_dlt_asks_the_types_of_secrets_where_they_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(environ, "is_secret_hint", asked.append)
    environ.EnvironProvider().get_value("rows", int, None)
    assert asked == [int]


@pytest.mark.parametrize("hint", [str, TSecretStrValue, dict[str, Any], Counter()])
def test_types_of_secrets_are_those_of_dlt(hint: Any) -> None:
    assert environ.is_secret_hint(hint) == is_secret_hint(hint)  # type: ignore[attr-defined]


def test_dlt_asks_the_types_of_fields_where_they_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    real = validation.get_type_hints  # type: ignore[attr-defined]

    def noted(spec: type, *args: Any, **kwargs: Any) -> Any:
        asked.append(spec)
        return real(spec, *args, **kwargs)

    monkeypatch.setattr(validation, "get_type_hints", noted)
    validation.validate_dict(_Rows, {"count": 1}, ".")
    assert _Rows in asked
