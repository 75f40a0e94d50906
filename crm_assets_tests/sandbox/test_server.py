"""The server: its log, its limits, its start and its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crm_assets.declarations import Connection
from crm_assets.sandbox import Sandbox
from crm_assets_tests.faults import serve
from crm_assets_tests.sandbox.conftest import TODAY, World
from crm_assets_tests.sandbox.reader import credentials, send


def test_the_log_keeps_requests_as_they_came(world: World) -> None:
    world.reader("shop", "log").page(**{"Parameters.Page": 2})
    world.reader("tracker", "sites").ask({"tag": ["a", "b"]})
    send(f"{world.base_url}/plain/things")
    first, second, third = world.sandbox.requests
    assert (first.connection, first.resource, first.method, first.path) == ("shop", "log", "POST", "/shop/")
    assert first.body == {"Function": "GetLog", "Parameters": {"Sort": "asc", "Max": 12, "Page": 2}}
    assert (first.page, first.status, first.query) == (2, 200, {"account": "7"})
    assert second.query == {"tag": ["a", "b"]}
    assert second.headers["authorization"] == "Token token=sandbox-tracker-api_token"
    assert (third.connection, third.resource, third.status, third.body) == ("plain", None, 401, None)
    assert len(world.sandbox.requests.of("shop")) == 1
    assert first.at < third.at


def test_latency(world: World) -> None:
    world.sandbox.latency = 0.15
    begun = time.perf_counter()
    world.reader("shop", "tags").ask()
    assert time.perf_counter() - begun >= 0.15


def test_more_requests_than_allowed_are_refused_per_connection(world: World) -> None:
    world.sandbox.rate_limit = 3
    answers = [world.reader("shop", "tags").ask() for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].headers["retry-after"] == "1"
    assert world.reader("tracker", "sites").ask().status == 200


def test_two_sandboxes_side_by_side_and_a_port_of_ones_own(connections: tuple[Connection, ...]) -> None:
    with serve(Sandbox(connections, today=TODAY)) as one, serve(Sandbox(connections, today=TODAY, seed=8)) as two:
        assert one != two
        port = int(one.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="in use"), serve(Sandbox(connections), port):
            pass
        headers = credentials(connections[0])[0]
        assert send(f"{one}/shop/people?account=7&offset=0", headers=headers).text != (
            send(f"{two}/shop/people?account=7&offset=0", headers=headers).text
        )
    with serve(Sandbox(connections, today=TODAY), port) as again:
        assert again == one


@pytest.mark.parametrize(("number", "told"), [(signal.SIGINT, ("stopped\n", 0)), (signal.SIGTERM, ("", -15))])
def test_run_forever_stops_without_a_traceback(tmp_path: Path, number: signal.Signals, told: tuple[str, int]) -> None:
    code = """
import sys
from pathlib import Path
from crm_assets.sandbox import run_forever
from crm_assets.sandbox import Sandbox
from crm_assets_tests.sandbox.conftest import load_own
run_forever(Sandbox(load_own(Path(sys.argv[1]))), int(sys.argv[2]))
print("stopped")
"""
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/plain/things")
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
    assert err == ""
    assert (out, process.returncode) == told


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 10
    while not _answers(url):
        assert time.monotonic() < deadline, f"nothing listens at {url}"
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        return send(url).status == 401
    except OSError:
        return False
