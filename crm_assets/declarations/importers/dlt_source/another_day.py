"""Another moment and other secrets, so that what is computed from them shows by being different."""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from crm_assets.declarations.importers.dlt_source import stand_ins

_LATER = dt.timedelta(days=397, hours=5, seconds=77)
"""Changes every part of a date and of a time."""


class _Moments(type):
    """Lets ``isinstance`` take every moment for one of the later class."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.__mro__[1])


class _Day(dt.date, metaclass=_Moments):
    @classmethod
    def today(cls) -> dt.date:  # type: ignore[override]
        return _TODAY() + _LATER


class _Moment(dt.datetime, metaclass=_Moments):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
        return _NOW(tz) + _LATER

    @classmethod
    def utcnow(cls) -> dt.datetime:  # type: ignore[override]
        return _NOW(dt.timezone.utc).replace(tzinfo=None) + _LATER

    @classmethod
    def today(cls) -> dt.datetime:  # type: ignore[override]
        return cls.now()


_TODAY, _NOW, _TIME = dt.date.today, dt.datetime.now, time.time


@contextlib.contextmanager
def another_day() -> Iterator[None]:
    """Move the clock by more than a year, and write the texts of unknown values otherwise."""
    pendulum = sys.modules["pendulum"]  # dlt has imported it

    now = pendulum.now

    def later(*given: Any, **keys: Any) -> Any:
        return now(*given, **keys) + _LATER

    with contextlib.ExitStack() as stack:
        stack.enter_context(patch.object(dt, "datetime", _Moment))
        stack.enter_context(patch.object(dt, "date", _Day))
        stack.enter_context(patch.object(time, "time", lambda: _TIME() + _LATER.total_seconds()))
        stack.enter_context(patch.object(pendulum, "now", later))
        stack.enter_context(patch.object(stand_ins, "QUOTE", "'"))
        yield
