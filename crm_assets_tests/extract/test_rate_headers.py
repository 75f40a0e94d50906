"""How long a server asks to wait, in every unit and form it may say so."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crm_assets.declarations.models.endpoint import WaitFrom
from crm_assets.extract.http.rate_headers import exhausted_for, requested_wait, retry_after, seconds_to_wait

NOW = 1_800_000_000.25
_YEAR = 366 * 86_400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        (" 3 ", 3.0),
        ("-5", 0.0),
        ("1e2", 100.0),
        ("28800", 28_800.0),
        ("5000000", 5000.0),
        ("2000000000000000000000", _YEAR),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("9" * 400, None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", _YEAR),
        ("2027-01-15T08:01:00Z", 59.75),
        ("2027-01-15T09:01:00+01:00", 59.75),
        ("2027-01-15T08:01:00", None),
    ],
)
def test_numbers_dates_and_nonsense(text: str, seconds: float | None) -> None:
    assert datetime.fromtimestamp(NOW, timezone.utc).isoformat().startswith("2027-01-15T08:00:00.25")
    assert seconds_to_wait(text, NOW) == pytest.approx(seconds)


@given(st.sampled_from([1, 1000, 10**6, 10**9]), st.floats(0, 3600))
def test_a_moment_is_told_from_a_span_in_every_unit(unit: int, seconds: float) -> None:
    assert seconds_to_wait(str(int((NOW + seconds) * unit)), NOW) == pytest.approx(seconds, abs=1.01)


@pytest.mark.parametrize("form", ["rfc 9110", "rfc 850"])
def test_http_dates(form: str) -> None:
    moment = datetime.fromtimestamp(NOW, timezone.utc) + timedelta(seconds=100)
    text = format_datetime(moment, usegmt=True) if form == "rfc 9110" else f"{moment:%A, %d-%b-%y %H:%M:%S} GMT"
    assert retry_after({"Retry-After": text}, NOW) == pytest.approx(99.75)
    assert retry_after({}, NOW) is None


@given(st.text(max_size=40) | st.floats().map(str) | st.integers().map(str))
@example("Fri, 99 Foo 2026 25:61:61 GMT")
@example("Mon, 01 Jan 0000 00:00:00 GMT")
def test_nothing_a_server_says_is_negative_endless_or_raises(text: str) -> None:
    seconds = seconds_to_wait(text, NOW)
    assert seconds is None or 0 <= seconds <= _YEAR


@pytest.mark.parametrize("prefix", ["X-RateLimit", "X-Rate-Limit", "RateLimit"])
def test_a_used_up_quota_is_waited_for(prefix: str) -> None:
    reset = {f"{prefix}-Reset": str(int(NOW) + 30)}
    assert exhausted_for({f"{prefix}-Remaining": "0", **reset}, NOW) == pytest.approx(29.75)
    assert exhausted_for({f"{prefix}-Remaining": "1", **reset}, NOW) is None
    assert exhausted_for({f"{prefix}-Remaining": "0"}, NOW) is None
    assert exhausted_for(reset, NOW) is None


@pytest.mark.parametrize(
    ("declared", "headers", "body", "seconds"),
    [
        ({"header": "X-Wait"}, {"X-Wait": "12", "Retry-After": "3"}, b"", 12.0),
        ({"header": "X-Wait", "unit": "ms"}, {"X-Wait": "1500"}, b"", 1.5),
        ({"header": "X-Wait", "unit": "us"}, {"X-Wait": "1500000"}, b"", 1.5),
        ({"header": "X-Wait", "unit": "ns"}, {"X-Wait": "1500000000"}, b"", 1.5),
        ({"header": "X-Wait"}, {"Retry-After": "3"}, b"", 3.0),
        ({"path": "error.retry_in"}, {}, b'{"error": {"retry_in": 4}}', 4.0),
        ({"path": "error.retry_in"}, {}, b'{"error": {"retry_in": "4"}}', 4.0),
        ({"path": "error.retry_in"}, {}, b'{"error": {"retry_in": true}}', None),
        ({"path": "error.retry_in"}, {"Retry-After": "3"}, b"<html>", 3.0),
        ({"path": "error.until", "unit": "ms"}, {}, b'{"error": {"until": 1800000010250}}', 10.0),
    ],
)
def test_a_declared_header_or_field_comes_first(
    declared: dict[str, str], headers: dict[str, str], body: bytes, seconds: float | None
) -> None:
    assert requested_wait(WaitFrom.model_validate(declared), headers, body, NOW) == pytest.approx(seconds)


def test_a_place_is_declared_once() -> None:
    for keys in ({}, {"header": "X-Wait", "path": "wait"}):
        with pytest.raises(ValueError, match="give header or path"):
            WaitFrom.model_validate(keys)
