"""The rate of a connection in the instance's PostgreSQL: a row to hold, and a row per departure of the ring.

Moments in the tables are the server's, so machines whose clocks differ agree; each sees them on its own clock.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg2
from filelock import Timeout
from psycopg2 import errors

from crm_assets.declarations.models.system import RateLimit
from crm_assets.extract.http.rate_state import Rates, RateState
from crm_assets.orchestration.shared_state.database import connect, unreachable

_GLANCE = 0.25
"""Seconds for which it is believed that no other machine was refused, where no figure is published."""
_FRESH, _DRIFT = 60.0, 0.001
"""Seconds for which a measurement of clocks is the best one, and by which they part meanwhile."""
_POLL_SECONDS = 0.005
"""Seconds between two tries to hold the row."""
_HOLD = """
BEGIN;
SELECT 1 FROM crm_assets_rates WHERE connection = %s FOR UPDATE NOWAIT;
SELECT extract(epoch FROM clock_timestamp())::float8, state, next_place,
       (SELECT moment FROM crm_assets_departures d WHERE d.connection = r.connection AND d.place = r.next_place)
FROM crm_assets_rates r WHERE connection = %s
"""
"""The row is locked by a statement of its own: the one that reads has to see what the holder before us committed."""
_PUT = """
INSERT INTO crm_assets_departures VALUES (%s, %s, %s)
ON CONFLICT (connection, place) DO UPDATE SET moment = excluded.moment;
"""
_KEEP = "UPDATE crm_assets_rates SET state = %s, next_place = %s WHERE connection = %s; COMMIT"
# A crash of the server may cost the departures of its last half second, and takes longer than that.
_FAST = "SET synchronous_commit = off"


@dataclass(frozen=True)
class _Held:
    """The row of a connection; moments are on our clock."""

    state: RateState | None
    next_place: int
    oldest: float
    """The departure in the next place."""
    ahead: float
    """Seconds by which the server's clock is ahead of ours."""


@dataclass
class _Difference:
    """By how much the server's clock is ahead of ours: the best of the last minute's measurements."""

    ahead: float = 0.0
    error: float = math.inf
    at: float = 0.0

    def seen(self, difference: float, took: float, at: float) -> float:
        """Take a measurement and return what is believed.

        Args:
            difference: Between the server's moment and ours when it was asked, in seconds.
            took: Seconds until the answer came; the server looked at its clock at some moment in between.
            at: When that was.
        """
        ahead, error = difference - took / 2, took / 2
        was_set = abs(ahead - self.ahead) > error + self.error + _DRIFT
        if error <= self.error or was_set or at - self.at > _FRESH:
            self.ahead, self.error, self.at = ahead, error, at
        return self.ahead


class PostgresRates:
    """The rate of one connection.

    Args:
        url: The instance's database.
        name: Name of the connection.
        limit: The vendor's published figure, if any.
    """

    def __init__(self, url: str, name: str, limit: RateLimit | None) -> None:
        self.limit = limit
        self._url = url
        self._name = name
        self._database: Any = None
        self._difference = _Difference()
        self._glanced = -_GLANCE

    @property
    def place(self) -> str:
        """What to call it in messages."""
        return f"the rate of {self._name} in the Dagster instance"

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to agree on."""
        if self.limit is None and time.monotonic() - self._glanced > _GLANCE:
            if self._one("SELECT 1 FROM crm_assets_rates WHERE connection = %s AND state IS NOT NULL", self._name):
                return True
            self._glanced = time.monotonic()
        return self.limit is not None

    @contextmanager
    def open(self, now: float, *, block: bool) -> Iterator[Rates]:
        """Hold the row alone; what is changed is written at the end.

        Args:
            now: The moment on this machine's clock; all moments inside are on it, too.
            block: Whether to wait for another process that holds it.

        Raises:
            filelock.Timeout: Another process holds it.
            ReadError: The database cannot be used.
        """
        held = self._held(now, block)
        try:
            with self._database.cursor() as cursor:
                ring = _Ring(cursor, self._name, held)
                rates = Rates(held.state, ring, self.limit, now)
                yield rates
                rates.state.written = now
                self._keep(rates.state, ring.changed, held.ahead)
        except psycopg2.Error as error:
            raise unreachable(f"the rate limit of {self._name}", error) from error
        finally:
            # nothing after a commit; what failed before it is undone, and the row is free
            with suppress(psycopg2.Error):
                self._execute("ROLLBACK" if self._database.info.transaction_status else "")

    def _held(self, now: float, block: bool) -> _Held:
        """Hold the row and return what is in it, by our clock."""
        begun = time.monotonic()
        if self._database is None:
            self._one("SELECT 1")  # connecting takes too long to compare clocks by
        while True:
            asked = time.monotonic()
            try:
                server, text, next_place, oldest = self._one(_HOLD, self._name, self._name)
            except errors.LockNotAvailable:
                with suppress(psycopg2.Error):  # a connection that is lost just now is made anew by the next try
                    self._execute("ROLLBACK")
                if not block:
                    raise Timeout(self.place) from None
                time.sleep(_POLL_SECONDS)
                continue
            answered = time.monotonic()
            ahead = self._difference.seen(server - now - (asked - begun), answered - asked, answered)
            state = _rate_state(text)
            return _Held(state and state.moved(-ahead), next_place, (oldest or ahead) - ahead, ahead)

    def _keep(self, state: RateState, changed: dict[int, float], ahead: float) -> None:
        """Write the row and the departures, and let go of them; a row that says nothing any more is emptied."""
        past = self.limit is None and state.is_past(state.written)
        text = None if past else msgspec.json.encode(state.moved(ahead)).decode()
        values: list[Any] = []
        for place, moment in changed.items():
            values += [self._name, place, moment + ahead]
        next_place = state.count % state.ring if state.ring else 0
        self._execute(_PUT * len(changed) + _KEEP, *values, text, next_place, self._name)

    def _one(self, sql: str, *parameters: Any) -> Any:
        """Return the first row of a statement; a connection that was lost since the last time is made anew.

        So is one on which a statement failed: its transaction would refuse all that follow.
        """
        fresh = self._database is None
        try:
            if fresh:
                self._connect()
            return self._fetched(sql, parameters)
        except errors.LockNotAvailable:
            raise
        except psycopg2.Error as error:
            database, self._database = self._database, None
            lost = database is not None and bool(database.closed)
            if database is not None:
                database.close()
            if fresh or not lost:
                raise unreachable(f"the rate limit of {self._name}", error) from error
        return self._one(sql, *parameters)

    def _fetched(self, sql: str, parameters: tuple[Any, ...]) -> Any:
        with self._database.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchone()

    def _connect(self) -> None:
        self._database = connect(self._url)
        self._execute(f"{_FAST}; INSERT INTO crm_assets_rates VALUES (%s) ON CONFLICT DO NOTHING", self._name)

    def _execute(self, sql: str, *parameters: Any) -> None:
        with self._database.cursor() as cursor:
            cursor.execute(sql, parameters)


class _Ring:
    """The departures of a connection while its row is held; that of the next place is known from the start."""

    def __init__(self, cursor: Any, name: str, held: _Held) -> None:
        self.changed: dict[int, float] = {}
        self._cursor = cursor
        self._name = name
        self._known = {held.next_place: held.oldest}
        self._ahead = held.ahead

    def at(self, place: int) -> float:
        return self.changed.get(place, self._known.get(place, 0.0))

    def put(self, place: int, moment: float) -> None:
        self.changed[place] = moment

    def all(self) -> list[float]:
        self._cursor.execute("SELECT moment FROM crm_assets_departures WHERE connection = %s", (self._name,))
        return [moment - self._ahead for (moment,) in self._cursor.fetchall()]

    def replace(self, moments: list[float]) -> None:
        self._cursor.execute("DELETE FROM crm_assets_departures WHERE connection = %s", (self._name,))
        self.changed, self._known = dict(enumerate(moments)), {}


def _rate_state(text: str | None) -> RateState | None:
    """Return the state, or ``None`` where there is none or it is of another version."""
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(text, type=RateState) if text else None
    return None
