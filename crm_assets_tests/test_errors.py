"""What is shown as one line beside our own errors: files that cannot be used. A bug is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from dlt.common.configuration.providers.toml import SecretsTomlProvider, TomlProviderReadException

from crm_assets.errors import CommandError, sentence_of


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(OSError) as error:  # noqa: PT011
        (tmp_path / "data" / "runs").mkdir()
    assert sentence_of(error.value) == f"{tmp_path}/data/runs: Not a directory."


def test_secrets_that_are_not_toml_are_named(tmp_path: Path) -> None:
    (tmp_path / "secrets.toml").write_text("[sources.desk\ntoken = 'hidden'\n")
    with pytest.raises(TomlProviderReadException) as error:
        SecretsTomlProvider(settings_dir=str(tmp_path))
    assert str(sentence_of(error.value)).startswith("secrets.toml is not valid TOML: ")
    assert "hidden" not in str(sentence_of(error.value))


def test_only_what_a_person_can_act_on_is_a_sentence() -> None:
    assert sentence_of(CommandError("Do this.")) == "Do this."
    assert sentence_of(ConnectionResetError(104, "Connection reset by peer")) is None
    assert sentence_of(KeyError("x")) is None
