"""The benchmark's record: 25 fields, one nested object, one array, about 0.95 KB. All of it follows from the row's id.

Server, verification and the contenders' schemas share this module, so a contender can be checked to the last row.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import date, datetime, timedelta, timezone

TEMPLATES = 1_000
"""Number of different record bodies; row ``id`` uses body ``id % TEMPLATES``."""

_FIRST_DAY = date(2020, 1, 1)
_CHANGED_AFTER_DAYS = 1_461
_WORDS = ("amber", "birch", "cobalt", "delta", "ember", "fjord", "garnet", "harbor", "indigo", "kestrel", "lagoon")

COLUMNS: dict[str, str] = {
    "id": "bigint",
    "number": "text",
    "name": "text",
    "first_name": "text",
    "last_name": "text",
    "email": "text",
    "phone": "text",
    "mobile": "text",
    "company": "text",
    "job_title": "text",
    "website": "text",
    "status": "text",
    "source": "text",
    "owner_id": "bigint",
    "amount_cents": "bigint",
    "probability": "double",
    "score": "double",
    "is_active": "bool",
    "opted_out": "bool",
    "description": "text",
    "notes": "text",
    "created_at": "timestamp",
    "updated_at": "timestamp",
    "address": "json",
    "items": "json",
}
"""Column names and their types, in the names dlt uses."""


def amount_cents(row: int, changed: bool = False) -> int:
    """Return the checked value of a row; a changed row carries another one."""
    return row * 7_919 % 1_000_003 + (1 if changed else 0)


def is_changed(row: int, percent: float) -> bool:
    """Return whether a row belongs to the ``percent`` of rows that changed after the first sync."""
    return percent > 0 and row % round(100 / percent) == 0


def expected(rows: int, percent: float = 0) -> dict[str, int]:
    """Return what a correct table holds: its count, its distinct ids and the sum of ``amount_cents``."""
    total = sum(amount_cents(row, is_changed(row, percent)) for row in range(1, rows + 1))
    return {"count": rows, "distinct": rows, "checksum": total}


class Renderer:
    """Renders records as JSON bytes, cheaply enough not to be what a benchmark measures."""

    def __init__(self) -> None:
        self._bodies = [_body(random.Random(number), number) for number in range(TEMPLATES)]
        self._minutes = [b"T%02d:%02d:00Z" % divmod(minute, 60) for minute in range(1_440)]
        self._days = [(_FIRST_DAY + timedelta(days=day)).isoformat().encode() for day in range(4_000)]

    def record(self, row: int, changed: bool) -> bytes:
        """Return the JSON of one row."""
        day, minute = divmod(row, 1_440)
        created = self._days[day] + self._minutes[minute]
        updated = self._days[day + _CHANGED_AFTER_DAYS] + self._minutes[minute] if changed else created
        return self._bodies[row % TEMPLATES] % (row, row, row, amount_cents(row, changed), created, updated)

    def records(self, rows: Iterable[int], percent: float) -> bytes:
        """Return the JSON array of some rows."""
        return b"[" + b",".join([self.record(row, is_changed(row, percent)) for row in rows]) + b"]"


def first_row_since(timestamp: str) -> int:
    """Return the first row whose first ``updated_at`` is not before ``timestamp`` (ISO 8601, UTC without an offset)."""
    moment = datetime.fromisoformat(timestamp.replace("Z", "+00:00").replace(" ", "+"))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    start = datetime.combine(_FIRST_DAY, datetime.min.time(), timezone.utc)
    return max(1, -int(-(moment - start).total_seconds() // 60))


def changed_since(rows: int, percent: float, timestamp: str) -> list[int]:
    """Return the rows a server names as changed since ``timestamp``: those never changed by age, those changed all."""
    first = first_row_since(timestamp)
    return [row for row in range(1, rows + 1) if _last_change(row, percent) >= first]


def _last_change(row: int, percent: float) -> int:
    return row + (_CHANGED_AFTER_DAYS * 1_440 if is_changed(row, percent) else 0)


def _body(pick: random.Random, number: int) -> bytes:
    def words(count: int) -> str:
        return " ".join(pick.choice(_WORDS) for _ in range(count))

    first, last, company = (pick.choice(_WORDS).title() for _ in range(3))
    record = {
        "id": "@d",
        "number": "N-@d",
        "name": f"{first} {last}",
        "first_name": first,
        "last_name": last,
        "email": f"{first}.{last}.@d@example.org".lower(),
        "phone": f"+1 555 {pick.randrange(10**7):07d}",
        "mobile": None if number % 10 == 0 else f"+1 556 {pick.randrange(10**7):07d}",
        "company": f"{company} {words(1)} Ltd",
        "job_title": words(2),
        "website": f"https://www.{company.lower()}.example.org",
        "status": pick.choice(["open", "won", "lost", "stalled"]),
        "source": pick.choice(["web", "phone", "fair", "referral"]),
        "owner_id": pick.randrange(1, 50),
        "amount_cents": "@d",
        "probability": pick.randrange(1, 100) / 128,
        "score": pick.randrange(1, 1_000) + 0.5,
        "is_active": pick.random() < 0.8,
        "opted_out": pick.random() < 0.1,
        "description": words(26),
        "notes": words(10),
        "created_at": "@s",
        "updated_at": "@s",
        "address": {"street": words(2), "city": pick.choice(_WORDS).title(), "zip": f"{number:05d}", "country": "US"},
        "items": [{"sku": f"S-{number:05d}", "label": words(1), "quantity": pick.randrange(1, 9)}],
    }
    text = json.dumps(record, separators=(",", ":")).replace("%", "%%").replace("@d@", "%d@")
    return text.replace('"@d"', "%d").replace("@d", "%d").replace("@s", "%s").encode()
