"""Values that a configuration leaves to its user: parameters of the connection, and secrets as parts of a log-in."""

from __future__ import annotations

import re
from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.dlt_source.log_ins import REFERENCE, own_name
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.parents import singular
from crm_assets.declarations.spellings.names import snake_case

_IN_PATH = re.compile(r"(?<!\{)\{([A-Za-z0-9_-]+)\}(?!\})")
_OPEN = "FILL_ME_IN"
"""What generated sources write where a required value is not known."""


def with_names(resource: Document, notes: Notes) -> Document:
    """Return a resource whose name is known, also where it is made of a setting."""
    changed = {}
    for key in ("name", "table_name"):
        if REFERENCE.search(str(resource.get(key))):
            changed[key] = REFERENCE.sub(lambda found: own_name(found[2], "list"), str(resource[key]))
            notes.add("assumed", f"the name {changed[key]} is made of a setting of the pipeline")
    return {**resource, **changed}


class UnknownValues:
    """The values that are not known, while the resources that need them are turned.

    Args:
        notes: Takes what is assumed.
        resources: All resources; a name in a path may stand for the key of one of them.
    """

    def __init__(self, notes: Notes, resources: list[Document]) -> None:
        self._keys = {f"{singular(snake_case(str(each.get('name'))))}_id" for each in resources}
        self.params: Document = {}
        """Parameters of the connection that stand for them."""
        self._notes = notes

    def address(self, client: Document) -> Document:
        """Return a client whose address holds parameters for what is not known of it."""
        base = str(client.get("base_url", ""))
        if REFERENCE.fullmatch(base):
            self._notes.add("assumed", "the source contains no address; set base_url for each connection")
            return {**client, "base_url": "https://api.example.com"}
        return {**client, "base_url": REFERENCE.sub(self._placeholder, base)}

    def bound(self, resource: Document) -> Document:
        """Return a resource with parameters and a log-in for what is not known of it."""
        resource = dict(resource)
        endpoint = resource.get("endpoint")
        if isinstance(endpoint, dict):
            endpoint = self._with_log_in(self._filled_in(endpoint, str(resource.get("name", ""))))
            resource["endpoint"] = self._bound({**endpoint, **_with_start(endpoint)})
        return resource

    def shared(self, value: Any) -> Any:
        """Return a part of the client with parameters for what is not known of it."""
        return self._bound(value)

    def _placeholder(self, found: re.Match[str]) -> str:
        name = own_name(found[2], "setting")
        if found[1] == "secrets":
            what = f"{name} is a secret of the pipeline; it is part of a request, so it is a parameter"
            self._notes.add("assumed", what)
        self.params.setdefault(name, {"description": f"The pipeline's own {found[2]}"})
        return f"{{{name}}}"

    def _bound(self, value: Any) -> Any:
        if isinstance(value, str):
            return REFERENCE.sub(self._placeholder, value)
        if isinstance(value, dict):
            return {key: item if key == "auth" else self._bound(item) for key, item in value.items()}
        return [self._bound(item) for item in value] if isinstance(value, list) else value

    def _with_log_in(self, endpoint: Document) -> Document:
        """Make a log-in of the secrets among parameters and headers."""
        parts = []
        for key, place in (("params", "query"), ("headers", "header")):
            given = endpoint.get(key)
            for name, value in [*given.items()] if isinstance(given, dict) else []:
                found = REFERENCE.search(value) if isinstance(value, str) else None
                if found and found[1] == "secrets":
                    secret = own_name(found[2])
                    shown = {} if found[0] == value else {"value": REFERENCE.sub(f"{{{secret}}}", value)}
                    parts.append({"type": "api_key", "name": name, "api_key": secret, "location": place, **shown})
                    endpoint = {
                        **endpoint,
                        key: {other: each for other, each in endpoint[key].items() if other != name},
                    }
        return {**endpoint, "_further_auth": parts} if parts else endpoint

    def _filled_in(self, endpoint: Document, resource: str) -> Document:
        """Make parameters of the values that a generated source leaves open; it asks with them as they are, too."""
        given = endpoint.get("params") or {}
        if not isinstance(given, dict):
            return endpoint
        params, path = dict(given), str(endpoint.get("path", ""))
        unfilled = [name for name in _IN_PATH.findall(path) if name not in params and name not in self._keys]
        for name in [*(name for name, value in params.items() if value == _OPEN), *unfilled]:
            own = _open_name(name, str(endpoint.get("path")), resource)
            what = "values that the generated source leaves open (FILL_ME_IN) are parameters of the connection"
            self._notes.add("assumed", what, resource)
            self.params.setdefault(own, {"description": f"What the source leaves open: {name}", "default": _OPEN})
            params[name] = f"{{{own}}}"
        return {**endpoint, "params": params} if params else endpoint


def _open_name(name: str, path: str, resource: str) -> str:
    """Return the parameter for an open value: one in the path is named by what stands before it."""
    before = re.search(rf"([A-Za-z_]+)/\{{{re.escape(name)}\}}", path)
    own = snake_case(name)
    if before:
        above = snake_case(singular(before[1]))
        own = own if above in own else f"{above}_{own}"
    else:
        own = f"{snake_case(resource)}_{own}"
    return re.sub(r"[^a-z0-9_]", "", own).strip("_")


def _with_start(endpoint: Document) -> Document:
    """Let an increment whose first value is a setting begin with the first day of the connection."""
    changed: Document = {}
    if isinstance(one := endpoint.get("incremental"), dict) and REFERENCE.search(str(one.get("initial_value"))):
        changed["incremental"] = {**one, "initial_value": "{start_date}"}
    params = endpoint.get("params")
    if isinstance(params, dict):
        changed["params"] = {
            name: {**each, "initial_value": "{start_date}"}
            if isinstance(each, dict) and REFERENCE.search(str(each.get("initial_value")))
            else each
            for name, each in params.items()
        }
    return changed
