"""Attacks on the promises: faults on the wire, crashes, crowds, curious eyes.

``CRM_ASSETS_LONG=1`` raises the counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from crm_assets.declarations.loader import available_systems

LONG = bool(os.environ.get("CRM_ASSETS_LONG"))


def times(short: int, long: int) -> int:
    """Return how often to attack: ``short`` in the suite, ``long`` with ``CRM_ASSETS_LONG=1``."""
    return long if LONG else short


def kinds(names: Iterable[str]) -> list[str]:
    """Return systems; in the suite, vendor profiles are left out.

    A profile differs from the system it extends in how its lists are asked for, which the conformance tests prove for
    every one of them; what is done with the rows is the same.
    """
    profiles = {path.stem for path in available_systems().values() if path.parent.name == "vendors"}
    return [name for name in names if LONG or name not in profiles]
