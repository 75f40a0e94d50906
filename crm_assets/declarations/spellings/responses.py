"""Response actions of dlt, as the rules for errors of this dialect."""

from __future__ import annotations

from typing import Any

from crm_assets.declarations.errors import SpecError

Document = dict[str, Any]
_KEY = "key endpoint.response_actions"


def canonical_responses(resource: Document) -> Document:
    """Return a resource whose response actions are rules of its error handler.

    Raises:
        SpecError: An action has no counterpart.
    """
    endpoint = resource.get("endpoint")
    if not isinstance(endpoint, dict) or "response_actions" not in endpoint:
        return resource
    endpoint = dict(endpoint)
    actions = endpoint.pop("response_actions") or []
    handler = dict(endpoint.get("error_handler") or {})
    statuses = [_ignored(action) for action in actions]
    handler["ignore_status_codes"] = sorted({*handler.get("ignore_status_codes", ()), *statuses})
    return {**resource, "endpoint": {**endpoint, **({"error_handler": handler} if statuses else {})}}


def _ignored(action: Any) -> int:
    if not isinstance(action, dict) or action.get("action") != "ignore":
        raise SpecError("only the action ignore has a counterpart; functions cannot be declared", _KEY)
    status = action.get("status_code")
    if action.get("content") is not None or not isinstance(status, int) or status < 400:
        raise SpecError("only a status_code of 400 and above can be ignored; see error_handler for the rest", _KEY)
    return status
