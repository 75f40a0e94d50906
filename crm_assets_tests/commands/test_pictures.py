"""The pictures of the README show what there is."""

from __future__ import annotations

import json
import runpy

from crm_assets_tests.commands.conftest import ROOT

IMAGES = ROOT / "docs" / "images"
MOST = 150_000
"""Bytes of a picture: a page on a slow line is read, too."""


def test_they_are_of_the_assets_checks_and_report_there_are() -> None:
    shown = runpy.run_path(str(ROOT / "scripts" / "pictures.py"))["shown"]()
    recorded = json.loads((IMAGES / "shown.json").read_text(encoding="utf-8"))
    assert recorded == shown, "the UI has changed: take them anew with `python scripts/pictures.py`, and look at them"


def test_they_are_small_and_the_readme_has_them_all() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = sorted(IMAGES.glob("*.png"))
    assert pictures
    assert [path.name for path in pictures if f"docs/images/{path.name}" not in readme] == []
    assert [path.name for path in pictures if path.stat().st_size > MOST] == []
