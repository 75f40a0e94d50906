"""Times in requests: in the format and the zone the API reads them in, and a start is never later than meant."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter, ValidationError

from crm_assets.date_range import DateRange
from crm_assets.declarations.models.incremental import TimeFormat, names_days
from crm_assets.extract.http.filter_values import moment_text, start_text, window_values

BERLIN, NEW_YORK, KATHMANDU = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu")
MOMENT = datetime(2024, 7, 9, 22, 30, 15, 250_000, tzinfo=timezone.utc)
PATTERN = "%Y-%m-%d %H:%M:%S"


@pytest.mark.parametrize(
    ("format_", "zone", "text"),
    [
        ("iso", BERLIN, "2024-07-09T22:30:15.250Z"),
        ("local", BERLIN, "2024-07-10T00:30:15"),
        ("local", NEW_YORK, "2024-07-09T18:30:15"),
        ("local", KATHMANDU, "2024-07-10T04:15:15"),
        (PATTERN, BERLIN, "2024-07-10 00:30:15"),
        ("%d.%m.%Y %H:%M", NEW_YORK, "09.07.2024 18:30"),
        ("%Y-%m-%dT%H:%M:%SZ", BERLIN, "2024-07-09T22:30:15Z"),
        ("date", BERLIN, "2024-07-10"),
        ("date", NEW_YORK, "2024-07-09"),
        ("epoch_s", BERLIN, 1720564215),
        ("epoch_ms", NEW_YORK, 1720564215250),
    ],
)
def test_a_moment_is_written_as_the_api_reads_it(format_: str, zone: ZoneInfo, text: object) -> None:
    assert moment_text(MOMENT, format_, zone) == text
    assert moment_text(MOMENT.astimezone(zone), format_, zone) == text


@pytest.mark.parametrize("format_", ["local", PATTERN])
@pytest.mark.parametrize(
    ("zone", "change"),
    [
        (BERLIN, datetime(2024, 10, 27, 1, tzinfo=timezone.utc)),
        (BERLIN, datetime(2024, 3, 31, 1, tzinfo=timezone.utc)),
        (NEW_YORK, datetime(2024, 11, 3, 6, tzinfo=timezone.utc)),
        (NEW_YORK, datetime(2024, 3, 10, 7, tzinfo=timezone.utc)),
        (ZoneInfo("Australia/Lord_Howe"), datetime(2024, 4, 6, 15, tzinfo=timezone.utc)),
    ],
)
def test_a_start_is_never_later_than_meant(format_: str, zone: ZoneInfo, change: datetime) -> None:
    """Whichever of two equal local times the API takes a start for."""
    for minutes in range(-180, 181, 5):
        moment = change + timedelta(minutes=minutes)
        naive = datetime.fromisoformat(str(start_text(moment, format_, zone)))
        for fold in (0, 1):
            read = naive.replace(tzinfo=zone, fold=fold).astimezone(timezone.utc)
            assert moment - timedelta(hours=1) <= read <= moment


def test_windows_of_local_times_are_whole_local_days() -> None:
    dates = DateRange(datetime(2024, 10, 27).date(), datetime(2024, 10, 28).date())  # noqa: DTZ001
    values = window_values(dates.instants(BERLIN), "local", "exclusive", BERLIN)
    assert values == {"window_start": "2024-10-27T00:00:00", "window_end": "2024-10-28T00:00:00"}
    utc = window_values(dates.instants(BERLIN), "iso", "exclusive", BERLIN)
    assert utc == {"window_start": "2024-10-26T22:00:00.000Z", "window_end": "2024-10-27T23:00:00.000Z"}


@pytest.mark.parametrize(("end", "last"), [("inclusive", "28.10.2024"), ("exclusive", "29.10.2024")])
def test_days_in_a_pattern_are_days(end: str, last: str) -> None:
    dates = DateRange(datetime(2024, 10, 27).date(), datetime(2024, 10, 29).date())  # noqa: DTZ001
    values = window_values(dates.instants(NEW_YORK), "%d.%m.%Y", end, NEW_YORK)
    assert values == {"window_start": "27.10.2024", "window_end": last}
    assert [names_days(one) for one in ("date", "%d.%m.%Y", "iso", "local", PATTERN, "%Y-%m-%d %H")] == [
        *(True, True),
        *(False, False, False, False),
    ]


@pytest.mark.parametrize("zone", [NEW_YORK, KATHMANDU])
@pytest.mark.parametrize("end", ["inclusive", "exclusive"])
def test_days_of_another_zone_cover_the_window(end: str, zone: ZoneInfo) -> None:
    first, after = DateRange(date(2024, 7, 9), date(2024, 7, 10)).instants(BERLIN)
    values = window_values((first, after), "date", end, zone)
    from_, to = (date.fromisoformat(str(values[f"window_{bound}"])) for bound in ("start", "end"))
    asked_for = DateRange(from_, to if end == "exclusive" else to + timedelta(days=1)).instants(zone)
    assert asked_for[0] <= first < after <= asked_for[1]
    assert asked_for[1] - asked_for[0] == timedelta(days=2)


@pytest.mark.parametrize("format_", ["ISO", "%H:%M", "%Y-%m", "YYYY-MM-DD", "%", "%Y-%m-%d %Q", ""])
def test_formats_that_name_no_day_are_refused(format_: str) -> None:
    with pytest.raises(ValidationError, match="expected date, iso, local, epoch_s, epoch_ms or a pattern such as"):
        TypeAdapter(TimeFormat).validate_python(format_)
