"""Response actions as dlt writes them: statuses given as text, and actions this dialect has no counterpart for."""

from __future__ import annotations

from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.errors import SpecError

_ACTIONS_KEY = "key endpoint.response_actions"


def canonical_responses(resource: Document) -> Document:
    """Return a resource whose response actions are in the canonical form.

    Raises:
        SpecError: An action has no counterpart.
    """
    endpoint = resource.get("endpoint")
    if not isinstance(endpoint, dict) or "response_actions" not in endpoint:
        return resource
    actions = [_canonical_action(action) for action in endpoint["response_actions"] or []]
    return {**resource, "endpoint": {**endpoint, "response_actions": actions}}


def _canonical_action(action: Any) -> Document:
    if not isinstance(action, dict) or not isinstance(action.get("action"), str):
        raise SpecError("functions have no counterpart; a declaration has no code", _ACTIONS_KEY)
    declared = {key: value for key, value in action.items() if value is not None}
    if isinstance(status := declared.get("status_code"), str) and status.isdigit():
        declared["status_code"] = int(status)
    return declared
