"""Every command of the README works as it stands there."""

from __future__ import annotations

import re

import pytest

from crm_assets_tests.commands.conftest import ROOT, Desk

README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines() if line]
TYPED = [line for line in COMMANDS if not line.startswith(("make ", "export "))]


@pytest.mark.parametrize("command", TYPED)
def test_a_command_of_the_readme_succeeds(desk: Desk, command: str) -> None:
    done = desk.types(command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_make_commands_of_the_readme_are_targets() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    made = [line.split()[1] for line in COMMANDS if line.startswith("make ")]
    assert made == ["demo", "test"]
    assert set(made) <= set(targets)


def test_the_secret_of_the_readme_is_the_one_its_connection_needs(desk: Desk) -> None:
    exports = [line.split("=")[0].removeprefix("export ") for line in COMMANDS if line.startswith("export ")]
    assert set(exports) <= set(desk.environment)


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\(((?!http)[^)#]+)", README)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]
