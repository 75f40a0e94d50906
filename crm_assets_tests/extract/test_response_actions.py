"""What follows an answer by its status and by what its body says; and credentials of several kinds on one request."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from crm_assets.declarations.models.endpoint import ResponseAction
from crm_assets.extract.http.response_actions import action_for
from crm_assets_tests.extract.scripted import Reply, Scripted, served
from crm_assets_tests.extract.test_oauth import connection_at, read

PAGE = b'{"items": [{"id": 1}, {"id": 2}]}'
LAST = b'{"items": []}'


def listed(
    folder: Path,
    replies: Sequence[Reply],
    client_auth: Any = None,
    secrets: dict[str, str] | None = None,
    **endpoint: Any,
) -> tuple[Any, Scripted]:
    """Read one list from a server with these answers; return what became of it."""
    with served(replies) as server:
        connection = connection_at(server.url, client_auth, {"name": "others", "endpoint": endpoint})
        others = connection.model_copy(
            update={"system": connection.system.model_copy(update={"resources": connection.system.resources[1:]})}
        )
        (reading,) = read(others, folder, **(secrets or {}))
        return reading, server


def test_a_refusal_in_a_body_with_status_200_is_tried_again(tmp_path: Path) -> None:
    busy = Reply(body=b'{"error": {"code": "TOO_MANY"}, "items": []}')
    actions = [{"path": "error.code", "equals": "TOO_MANY", "action": "retry"}]
    reading, server = listed(tmp_path, [busy, Reply(body=PAGE), Reply(body=LAST)], response_actions=actions)
    assert reading.report.rows == 2
    assert reading.report.retries == 1
    assert [heard.target for heard in server.heard[:2]] == ["/api/things?page=1"] * 2


def test_an_error_in_a_body_with_status_200_can_fail_a_list(tmp_path: Path) -> None:
    wrong = Reply(body=b'{"ok": false, "message": "the view was removed", "items": []}')
    actions = [{"path": "ok", "equals": False, "action": "fail"}]
    reading, _ = listed(tmp_path, [wrong], response_actions=actions)
    assert reading.staged is None
    assert "(it says: the view was removed)" in reading.report.reason


def test_what_dlt_ignores_is_passed_over_and_reported(tmp_path: Path) -> None:
    gone = Reply(404, b'{"message": "Not found"}')
    actions = [{"status_code": 404, "content": "Not found", "action": "ignore"}]
    reading, _ = listed(tmp_path, [gone], response_actions=actions)
    assert reading.report.rows == 0
    assert "404" in " ".join([reading.report.reason, *reading.report.skipped])


@pytest.mark.parametrize(("status", "body"), [(404, b'{"code": "NO_RECORDS"}'), (200, b'{"status": "nothing"}')])
def test_an_answer_can_stand_for_an_empty_list(status: int, body: bytes, tmp_path: Path) -> None:
    actions = [
        {"status_code": 404, "path": "code", "equals": "NO_RECORDS", "action": "empty"},
        {"path": "status", "equals": "nothing", "action": "empty"},
    ]
    reading, _ = listed(tmp_path, [Reply(status, body)], response_actions=actions)
    assert reading.report.complete, reading.report.reason
    assert reading.report.rows == 0


@pytest.mark.parametrize("status", [201, 206])
def test_another_status_can_be_a_page(status: int, tmp_path: Path) -> None:
    replies = [Reply(status, PAGE), Reply(body=LAST)]
    refused, _ = listed(tmp_path, replies)
    assert str(status) in refused.report.reason
    reading, _ = listed(tmp_path, replies, response_actions=[{"status_code": status, "action": "read"}])
    assert reading.report.rows == 2


@pytest.mark.parametrize(
    ("action", "status", "body", "applies"),
    [
        ({"status_code": 404}, 404, b"", True),
        ({"status_code": 404}, 400, b"", False),
        ({"content": "größer"}, 400, "viel größer".encode(), True),
        ({"content": "x", "status_code": 400}, 404, b"x", False),
        ({"path": "errors.0.code"}, 200, b'{"errors": [{"code": 7}]}', True),
        ({"path": "errors"}, 200, b'{"errors": []}', False),
        ({"path": "error"}, 200, b'{"error": false}', False),
        ({"path": "error"}, 200, b'{"error": null}', False),
        ({"path": "error"}, 200, b"<html>", False),
        ({"path": "error"}, 200, b"[1]", False),
        ({"path": "code", "equals": 1}, 200, b'{"code": true}', False),
        ({"path": "code", "equals": 1}, 200, b'{"code": 1.0}', True),
        ({"path": "ok", "equals": False}, 200, b"{}", False),
    ],
)
def test_an_action_applies_where_all_it_names_is_so(
    action: dict[str, Any], status: int, body: bytes, applies: bool
) -> None:
    declared = ResponseAction.model_validate({**action, "action": "fail"})
    assert (action_for([declared], status, body) is declared) is applies


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ({"action": "ignore"}, "give status_code, content or path"),
        ({"equals": 1, "status_code": 404, "action": "retry"}, "equals needs path"),
        ({"status_code": 503, "action": "ignore"}, "a 503 is temporary"),
    ],
)
def test_an_action_that_makes_no_sense_is_refused(action: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        ResponseAction.model_validate(action)


# ------------------------------------------------------------------------------------------------ credentials


def _header(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize(
    ("auth", "secrets", "headers", "query"),
    [
        (None, {}, {"Authorization": None}, ""),
        ({"type": "none"}, {}, {"Authorization": None}, ""),
        (
            {"type": "basic", "username": "api_key", "password": ""},
            {"api_key": "k3y"},
            {"Authorization": _header("k3y:")},
            "",
        ),
        ({"type": "basic", "username": ""}, {"password": "t0k"}, {"Authorization": _header(":t0k")}, ""),
        (
            [
                {"type": "bearer"},
                {"type": "api_key", "name": "X-App-Key", "api_key": "app_key"},
                {"type": "api_key", "name": "account", "location": "query", "api_key": "account_key"},
            ],
            {"token": "t0k3n", "app_key": "4pp", "account_key": "4cc"},
            {"Authorization": "Bearer t0k3n", "X-App-Key": "4pp"},
            "account=4cc",
        ),
    ],
)
def test_none_one_or_several_credentials_are_sent(
    auth: Any, secrets: dict[str, str], headers: dict[str, str | None], query: str, tmp_path: Path
) -> None:
    reading, server = listed(tmp_path, [Reply(body=PAGE), Reply(body=LAST)], auth, secrets)
    assert reading.report.rows == 2
    for heard in server.heard:
        assert {name: heard.headers.get(name) for name in headers} == headers
        assert query in heard.target


def test_a_list_has_headers_and_authentication_of_its_own(tmp_path: Path) -> None:
    own = {"type": "api_key", "name": "X-Key", "api_key": "key"}
    endpoint = {"auth": own, "headers": {"X-Version": "7"}}
    reading, server = listed(
        tmp_path, [Reply(body=PAGE), Reply(body=LAST)], {"type": "bearer"}, {"key": "k3y", "token": "t0k"}, **endpoint
    )
    assert reading.report.rows == 2
    assert {heard.headers.get("X-Key") for heard in server.heard} == {"k3y"}
    assert {heard.headers.get("X-Version") for heard in server.heard} == {"7"}
    assert {heard.headers.get("Authorization") for heard in server.heard} == {None}
