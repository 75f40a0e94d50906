"""Every command of docs/your_crm.md works as it stands there, against a server at the page's address."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from crm_assets_tests.discovery.plain_crm import DEALS, PEOPLE, STAGES, plain_crm
from crm_assets_tests.discovery.test_discover import Person

PAGE = (Path(__file__).parents[2] / "docs" / "your_crm.md").read_text()
START, *_WAYS = re.split(r"^## ", PAGE, flags=re.MULTILINE)
WAYS = {way.splitlines()[0]: way for way in _WAYS}
ADDRESS = "https://api.desk.example/v2"
DOUBTFUL = 3


def followed(person: Person, text: str) -> None:
    for language, name, block in re.findall(r"```(\w+) ?(\S*)\n(.*?)```", text, re.DOTALL):
        block = block.replace(ADDRESS, person.url)
        if language != "sh":
            (person.folder / name).write_text(block)
            continue
        for program, *words in map(shlex.split, block.splitlines()):
            if program == "mkdir":
                (person.folder / words[0]).mkdir()
                continue
            assert program == "crm-assets"
            done = person.types(*words)
            allowed = (0, DOUBTFUL) if words[0] in ("import", "discover") else (0,)
            assert done.returncode in allowed, done.stdout + done.stderr
            assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("way", "column", "count"),
    [
        ("With a manifest", "stages.title", len(STAGES)),
        ("With a dlt file", "people.full_name", len(PEOPLE)),
        ("With nothing", "deals.amount", len(DEALS)),
    ],
)
def test_each_way_leads_to_tables(tmp_path: Path, way: str, column: str, count: int) -> None:
    with plain_crm() as (url, asked):
        person = Person(tmp_path, url, asked, name="DESK")
        followed(person, START)
        followed(person, WAYS[way])
        followed(person, WAYS["Custom fields"])
        table, _, name = column.partition(".")
        assert person.rows(f"SELECT count({name}), count(*) FROM desk.{table}") == [(count, count)]
