"""Attacks on the promises: faults on the wire, crashes, crowds, curious eyes.

``CRM_ASSETS_LONG=1`` raises the counts.
"""

import os

LONG = bool(os.environ.get("CRM_ASSETS_LONG"))


def times(short: int, long: int) -> int:
    """Return how often to attack: ``short`` in the suite, ``long`` with ``CRM_ASSETS_LONG=1``."""
    return long if LONG else short
