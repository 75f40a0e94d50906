"""Settings: everything the environment says, read once."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_assets.errors import CrmAssetsError
from crm_assets.settings import Settings


def test_every_setting_comes_from_the_environment() -> None:
    assert Settings.from_env(
        {
            "CRM_ASSETS_CONNECTIONS": "mine.yaml",
            "CRM_ASSETS_DATA": "/srv/data",
            "CRM_ASSETS_DESTINATION": "postgres",
            "CRM_ASSETS_LOCK_TIMEOUT": "7",
            "CRM_ASSETS_SANDBOX": "http://127.0.0.1:8123/",
            "CRM_ASSETS_SCHEDULES": "on",
            "CRM_ASSETS_RESUME_HOURS": "0.5",
        }
    ) == Settings(Path("mine.yaml"), Path("/srv/data"), "postgres", 7, "http://127.0.0.1:8123", True, 0.5)


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    empty = ("CONNECTIONS", "DATA", "DESTINATION", "LOCK_TIMEOUT", "SANDBOX", "SCHEDULES", "RESUME_HOURS")
    assert Settings.from_env({f"CRM_ASSETS_{name}": "" for name in empty}) == Settings.from_env({}) == Settings()


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
@pytest.mark.parametrize(("name", "unit"), [("LOCK_TIMEOUT", "seconds"), ("RESUME_HOURS", "hours")])
def test_a_number_that_is_not_one_is_named(text: str, name: str, unit: str) -> None:
    with pytest.raises(CrmAssetsError, match=f"CRM_ASSETS_{name} is '{text}'; expected a number of {unit}"):
        Settings.from_env({f"CRM_ASSETS_{name}": text})
