"""What is exported for dlt means the same there; what dlt cannot say is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from crm_assets.commands.export_dlt import losses, rest_api_config
from crm_assets.errors import CommandError
from crm_assets_tests.dialect.test_configurations import connect

CURSOR = {"type": "cursor", "cursor_path": "next", "cursor_param": "after", "end": "repeat"}
JOB = {"status_url": "/jobs/{job_id}", "done": "done", "file_path": "url"}


def exported(endpoint: dict[str, Any], **resource: Any) -> dict[str, Any]:
    posts = {"name": "posts", "endpoint": {"path": "/posts", "paginator": "single_page", **endpoint}, **resource}
    config = rest_api_config(connect({"client": {"base_url": "https://api.desk.test"}, "resources": [posts]}), {})
    (entry,) = config["resources"]
    return dict(entry)


@pytest.mark.parametrize(
    ("endpoint", "resource", "lacking"),
    [
        ({"export_job": JOB}, {}, "export jobs"),
        ({"params": {"kind": "{kind}"}}, {"for_each": {"kind": ["a", "b"]}}, "lists of fixed values"),
        ({"decoder": "csv"}, {}, "decoder of other bodies than JSON"),
        ({"record_filter": [{"field": "a", "in": [1]}]}, {}, "conditions on records that are not code"),
        ({"data_selector": "a.*.b.*", "outer_fields": {"of": "id"}}, {}, "fields of the objects around a list"),
        ({"paginator": CURSOR}, {}, "end of a list by a repeated cursor or link"),
    ],
)
def test_what_dlt_cannot_say_is_refused(endpoint: dict[str, Any], resource: dict[str, Any], lacking: str) -> None:
    with pytest.raises(CommandError, match=f"dlt has no {lacking}") as error:
        exported(endpoint, **resource)
    assert str(error.value).endswith("which api.posts needs.")


def test_a_form_and_a_list_without_a_table_are_those_of_dlt() -> None:
    entry = exported({"method": "POST", "data": {"state": "open"}, "decoder": "json"}, selected=False)
    assert (entry["endpoint"]["data"], entry["selected"]) == ({"state": "open"}, False)
    assert "json" not in entry["endpoint"]


def test_what_is_left_out_is_named_with_its_list() -> None:
    retried = {"path": "code", "action": "retry"}
    posts = {"path": "/posts", "paginator": "single_page", "error_path": "error", "response_actions": [retried]}
    users = {"name": "users", "endpoint": {"path": "/users", "paginator": "single_page"}}
    system = {
        "client": {"base_url": "https://api.desk.test"},
        "resources": [{"name": "posts", "endpoint": posts}, users],
    }
    (loss,) = losses(connect(system))
    assert ".posts: dlt has no error_path, no response_actions but" in loss
