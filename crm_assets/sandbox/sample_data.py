"""What people and values are made of, as ``sample_data.yaml`` says."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from crm_assets.declarations import ColumnType
from crm_assets.declarations.models.base import Spec
from crm_assets.declarations.models.columns import Columns
from crm_assets.declarations.yaml_reader import read_yaml


class _Country(Spec):
    locale: str
    name: str
    code: str
    street: str
    phone: str
    towns: tuple[tuple[str, str, str, str], ...]


class _SampleData(Spec):
    countries: tuple[_Country, ...]
    examples: dict[ColumnType, dict[str, tuple[Any, ...]]]
    columns: Columns


@cache
def sample_data() -> _SampleData:
    """Return the data; the file explains them."""
    return _SampleData.model_validate(read_yaml(Path(__file__).with_name("sample_data.yaml")))
