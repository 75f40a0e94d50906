"""The simulation of scale on paper: the page shows what the script computes, and its day keeps the vendors' limits."""

from __future__ import annotations

import runpy
import sys
from typing import Any

import pytest

from crm_assets_tests.commands.conftest import ROOT


@pytest.fixture(scope="module")
def simulated() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
        yield runpy.run_path(str(ROOT / "benchmarks/simulation_report.py"))


def test_the_page_shows_what_the_script_computes(simulated: Any) -> None:
    page = (ROOT / "docs/scale.md").read_text()
    assert simulated["report"]() in page, "python benchmarks/simulation_report.py --write"


def test_no_limit_is_exceeded_on_the_simulated_day(simulated: Any) -> None:
    plan = simulated["PLANS"][-1]
    day = simulated["simulate"](plan)
    assert day.unfinished == 0
    for one in day.accounts:
        assert one.done - one.start >= one.work.requests / one.rate - 10, "in steps of ten minutes"
    by_address = [one for one in day.accounts if one.address is not None]
    for vendor in {one.vendor for one in by_address}:
        shared = [one for one in by_address if one.vendor == vendor]
        asked = sum(one.work.requests for one in shared)
        assert max(one.done for one in shared) >= asked / plan.addresses / shared[0].rate
