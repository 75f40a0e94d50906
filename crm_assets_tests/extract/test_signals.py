"""Ctrl-C and SIGTERM reach whoever waits for them, whatever the code does that they meet."""

from __future__ import annotations

import os
import signal
import threading
from functools import partial
from types import FrameType

import duckdb
import pytest
from dlt.common.runtime import signals as dlt_signals

from crm_assets.extract.signals import no_signal_lost, raise_if_stopped, run_stoppable

# with one thread: those of DuckDB itself finish what they are at
ENDLESS = "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b"


async def interrupts_itself() -> str:
    signal.raise_signal(signal.SIGINT)
    return "read"


def test_a_signal_in_the_last_step_of_an_event_loop_is_handed_on() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_stoppable(interrupts_itself())


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_a_query_makes_its_own_error_of_is_handed_on(
    sign: signal.Signals, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(partial(signal.signal, sign, signal.signal(sign, signal.default_int_handler)))
    with no_signal_lost(), duckdb.connect(config={"threads": 1}) as database:
        threading.Timer(0.05, os.kill, (os.getpid(), sign)).start()
        with pytest.raises(RuntimeError, match="Query interrupted"):
            database.execute(ENDLESS)
        with pytest.raises(KeyboardInterrupt):
            raise_if_stopped()
        raise_if_stopped()


def test_a_signal_that_dlt_keeps_back_is_handed_on_at_the_end() -> None:
    def load() -> str:
        with no_signal_lost(), no_signal_lost(), dlt_signals.intercepted_signals():
            signal.raise_signal(signal.SIGINT)
            return "loaded"

    with pytest.raises(KeyboardInterrupt):
        load()
    assert signal.set_wakeup_fd(-1) == -1
    raise_if_stopped()


def test_what_failed_is_raised_where_no_signal_came() -> None:
    with pytest.raises(RuntimeError, match="of its own"), no_signal_lost():
        raise RuntimeError("of its own")


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_signals_of_forked_processes_are_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(_number: int, _frame: FrameType | None) -> None:
        os._exit(7)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        with no_signal_lost():
            child = os.fork()
            if not child:
                signal.raise_signal(signal.SIGTERM)
                os._exit(1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    finally:
        signal.signal(signal.SIGTERM, before)
