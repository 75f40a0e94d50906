"""Windows and increments: how a resource is read day after day. Without either it is read in full."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from crm_assets.declarations.models.base import Spec

START_VALUE, END_VALUE = "{incremental.start_value}", "{incremental.end_value}"
"""Placeholders of an incremental read; the names are dlt's."""
_DURATION_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _parse_duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(\d+)\s*([smhd])", str(value).strip())
    if not match:
        raise ValueError(f"expected a duration such as 90s, 15m, 2h or 3d, got {value!r}")
    return timedelta(**{_DURATION_UNITS[match[2]]: int(match[1])})


Duration = Annotated[timedelta, BeforeValidator(_parse_duration)]


def _check_request_format(value: str) -> str:
    try:
        readable = "%" in value and datetime.strptime(_SAMPLE_DAY.strftime(value), value).date() == _SAMPLE_DAY.date()  # noqa: DTZ007
    except ValueError:
        readable = False
    if value not in _TIME_FORMATS and not readable:
        raise ValueError(f"expected {', '.join(_TIME_FORMATS)} or a pattern such as %Y-%m-%d %H:%M:%S, got {value!r}")
    return value


_SAMPLE_DAY = datetime(2024, 11, 23, tzinfo=timezone.utc)
_SAMPLE_EVENING = _SAMPLE_DAY.replace(hour=22, minute=59, second=58)
_TIME_FORMATS = ("date", "iso", "local", "epoch_s", "epoch_ms")
TimeFormat = Annotated[str, AfterValidator(_check_request_format)]
"""How a request writes times: by name, or as a pattern of ``strftime``. ``iso`` and epochs name an instant; ``date``,
``local`` (ISO 8601 without an offset) and patterns are in the time zone of the column, or else of the connection."""


def names_days(format_: TimeFormat) -> bool:
    """Whether a format says the day and nothing finer."""
    return format_ == "date" or ("%" in format_ and _SAMPLE_DAY.strftime(format_) == _SAMPLE_EVENING.strftime(format_))


class Incremental(Spec):
    """Read only what changed since the last run."""

    field: str
    """Column whose greatest loaded value is the next starting point."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Query parameters to add; ``{incremental.start_value}`` is the starting point, ``{incremental.end_value}`` the
    moment of the request, for an API that wants both."""
    json_body: dict[str, Any] | None = Field(default=None, alias="json")
    """The same for the JSON body, laid over the endpoint's."""
    format: TimeFormat = "iso"
    initial_value: str | int | None = None
    """Starting point of the first read, as the API wants it, or ``{start_date}`` for the first day of the connection;
    without one the first read asks for the whole list."""
    lookback: Duration = timedelta(hours=1)
    """How far before the greatest loaded value to start, for late and equal timestamps."""
    full_refresh_every: Duration = timedelta(days=7)
    """Read the whole list again when the last full refresh is older: it sees deletes, and whatever else was missed."""


class Window(Spec):
    """Read one range of dates."""

    field: str
    """Column the API's date filter speaks of."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Query parameters to add; ``{window_start}`` and ``{window_end}`` are its bounds."""
    json_body: dict[str, Any] | None = Field(default=None, alias="json")
    """The same for the JSON body, laid over the endpoint's."""
    format: TimeFormat = "date"
    grain: Literal["daily", "weekly", "monthly"] = "daily"
    end: Literal["inclusive", "exclusive"] = "inclusive"
    """Whether the API includes the last bound. A window consists of whole days in the connection's time zone."""
    padding_days: int = Field(default=0, ge=0)
    """Days asked for on either side of the window, where it is unknown how the API treats its bounds."""
    lookback_days: int = Field(default=3, ge=0)
    """Days before today that every scheduled run reads again, for late arrivals."""
    days_ahead: int = Field(default=0, ge=0)
    """Days after today that have partitions too, for things that are planned."""
    include_undated: bool = False
    """Rows without the date exist and are reached by one full refresh without bounds."""
    per_partition: bool = False
    """Rows are aggregates over the days requested, so every partition is requested on its own."""
    max_rows: int | None = Field(default=None, ge=1)
    """Deepest row the API serves for one query; a window that reaches it is split."""

    @model_validator(mode="after")
    def _aggregates_are_exact(self) -> Window:
        if self.per_partition and self.padding_days:
            raise ValueError("padding_days would change what per_partition rows count; give one of the two")
        return self
