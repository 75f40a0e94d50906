"""Log messages of dlt that help no user."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_json_warning() -> Iterator[None]:
    """Suppress dlt's warning that hints differ from the Arrow schema: every JSON column is text in Arrow."""
    logger = logging.getLogger("dlt")
    logger.addFilter(_not_of_hints)
    try:
        yield
    finally:
        logger.removeFilter(_not_of_hints)


def _not_of_hints(record: logging.LogRecord) -> bool:
    return "several column hints were different" not in record.getMessage()
