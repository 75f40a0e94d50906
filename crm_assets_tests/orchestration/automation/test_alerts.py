"""Alerts: real failures posted to a real webhook, together and once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest
import time_machine
from dagster._time import get_current_datetime

from crm_assets.declarations.models.connection import Connection
from crm_assets.orchestration.automation.problems import Problem
from crm_assets.orchestration.automation.webhook import WebhookError, message_of, post
from crm_assets_tests.conftest import Build, only
from crm_assets_tests.faults import Fault
from crm_assets_tests.installation import Installation
from crm_assets_tests.loopback import Answer, Asked, loopback
from crm_assets_tests.orchestration.automation.helpers import definitions_of, look

Connections = dict[str, Connection]


class Hook:
    """What a webhook received, and what it answers."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.status = 200

    def take(self) -> list[str]:
        """Return the texts since the last call."""
        messages, self.messages = self.messages, []
        return messages


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    hook = Hook()

    def reply(asked: Asked) -> Answer:
        if hook.status == 200:
            assert asked.headers["Content-Type"] == "application/json"
            hook.messages.append(json.loads(asked.body)["text"])
        return Answer(b"", hook.status)

    with loopback(reply) as url:
        monkeypatch.setenv("ALERTS__WEBHOOK_URL", f"{url}/services/T0/B0/s3cr3t")
        yield hook


class Watched:
    """An installation with an instance on disk, and its alert sensor."""

    def __init__(self, house: Installation, instance: dg.DagsterInstance) -> None:
        self.house = house
        self.house.instance = instance
        self.definitions = definitions_of(list(house.connections.values()), house.warehouse)
        self.cursor: str | None = None
        self.said = ""

    def look(self) -> None:
        data = look(self.definitions, "crm_alerts", self.house.instance, self.cursor)
        self.cursor, self.said = data.cursor or self.cursor, data.skip_message or ""

    def fail(self, connection: str, resource: str) -> None:
        """Let a read fail."""
        self.house.sandbox.faults.push(Fault("status", connection=connection, resource=resource, status=403))
        assert not self.house.materialize(f"{connection}/{resource}").success
        self.house.sandbox.faults.clear()


@pytest.fixture
def watched(house: Build, connections: Connections, stored_instance: dg.DagsterInstance) -> Watched:
    accounts = only(connections["sales_crm"], "accounts"), only(connections["nutshell"], "products")
    return Watched(house(*accounts), stored_instance)


def test_problems_of_one_look_come_together_and_once(watched: Watched, hook: Hook) -> None:
    watched.look()
    assert watched.said == "Nothing new went wrong."
    watched.fail("sales_crm", "accounts")
    watched.fail("nutshell", "products")
    watched.look()
    (text,) = hook.take()
    headline, _, *rest = text.splitlines()
    assert headline == ":warning: crm_assets: 4 new problems"
    assert [line for line in rest if line.startswith("*")] == ["*nutshell*", "*sales_crm*"]
    run, table = (line for line in rest[rest.index("*sales_crm*") :] if line.startswith("•"))
    assert "1 of 1 resources of sales_crm could not be read or loaded: accounts." in run
    assert "403" in run
    assert table.startswith("• sales_crm/accounts: check completeness failed: ")
    assert "check schema failed: The table does not exist yet" in table
    watched.fail("sales_crm", "accounts")
    watched.look()
    watched.look()
    assert hook.take() == []


def test_what_was_well_in_between_is_told_again(watched: Watched, hook: Hook) -> None:
    watched.look()
    watched.fail("sales_crm", "accounts")
    watched.look()
    assert len(hook.take()) == 1
    assert watched.house.materialize("sales_crm/accounts").success
    watched.look()
    assert hook.take() == []
    watched.fail("sales_crm", "accounts")
    watched.look()
    (text,) = hook.take()
    assert "2 new problems" in text
    assert "check schema" not in text


def test_what_failed_and_was_well_again_before_the_look_is_not_told(watched: Watched, hook: Hook) -> None:
    watched.look()
    watched.fail("sales_crm", "accounts")
    assert watched.house.materialize("sales_crm/accounts").success
    watched.look()
    assert hook.take() == []


def test_what_the_webhook_refused_is_told_later(watched: Watched, hook: Hook) -> None:
    watched.look()
    watched.fail("sales_crm", "accounts")
    hook.status = 503
    watched.look()
    assert watched.said == (
        "New problems were not posted, the next tick retries: the webhook answered 503; check alerts.webhook_url."
    )
    hook.status = 200
    watched.look()
    assert len(hook.take()) == 1
    watched.look()
    assert hook.take() == []


def test_history_is_not_told(watched: Watched, hook: Hook) -> None:
    watched.fail("sales_crm", "accounts")
    with time_machine.travel(get_current_datetime() + timedelta(minutes=1)):
        watched.look()
    assert hook.take() == []


def test_overdue_tables_are_told_once_without_any_run(watched: Watched, hook: Hook) -> None:
    assert watched.house.materialize("sales_crm/accounts").success
    now = get_current_datetime()
    for hours, expected in ((1, 0), (29, 0), (31, 1), (32, 0)):
        with time_machine.travel(now + timedelta(hours=hours)):
            watched.look()
        texts = hook.take()
        assert len(texts) == expected, hours
        assert all("sales_crm/accounts: overdue, it was last loaded on" in text for text in texts)


def test_a_run_that_never_came_to_its_steps(watched: Watched, hook: Hook) -> None:
    watched.look()
    job = watched.definitions.resolve_job_def("sales_crm_lists")
    run = watched.house.instance.create_run_for_job(job, tags=job.tags)
    watched.house.instance.report_run_failed(run)
    watched.look()
    (text,) = hook.take()
    assert "*sales_crm*" in text
    assert f"• run {run.run_id[:8]}: sales_crm_lists failed before or between its steps." in text


def test_what_an_exception_quotes_is_not_told(watched: Watched, hook: Hook) -> None:
    @dg.op
    def model() -> None:
        raise RuntimeError("could not connect with password hunter2")

    @dg.job
    def unified() -> None:
        model()

    watched.look()
    assert not unified.execute_in_process(instance=watched.house.instance, raise_on_error=False).success
    watched.look()
    (text,) = hook.take()
    assert "model failed (RuntimeError)." in text
    assert "hunter2" not in text


def test_without_a_webhook_the_sensor_says_what_to_set(watched: Watched) -> None:
    watched.look()
    assert watched.said == (
        "Alerts are off: set ALERTS__WEBHOOK_URL, or webhook_url under [alerts] in .dlt/secrets.toml."
    )


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://hooks.example.com/s3cr3t", "must begin with https://"),
        ("hooks.example.com/s3cr3t", "must begin with https://"),
        ("https://[s3cr3t", "is not a valid URL"),
        ("http://127.0.0.1:9/s3cr3t", "did not answer"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused_without_its_address(url: str, problem: str) -> None:
    with pytest.raises(WebhookError, match=problem) as caught:
        post(url, {"text": "hello"})
    assert "s3cr3t" not in str(caught.value)


def test_messages_are_bounded_and_escaped() -> None:
    many = [
        Problem(f"check {number:02}", "sales_crm", f"{number:02}", f"<{number}> & so on\n" + "x" * 1000)
        for number in range(25)
    ]
    text = message_of(many)["text"]
    lines = text.splitlines()
    assert lines[-1] == "• and 15 more"
    assert len(lines) == 14
    assert lines[3].startswith("• 00: &lt;0&gt; &amp; so on x")
    assert max(map(len, lines)) < 650
