"""A configuration of dlt's REST API source made ready for the loader: secrets by name, and no code."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.dlt_source.code import is_code, without_code
from crm_assets.declarations.importers.dlt_source.log_ins import REFERENCE, header_log_in, log_in
from crm_assets.declarations.importers.dlt_source.unknown_values import UnknownValues, with_names
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.importers.own_names import short_table
from crm_assets.declarations.spellings.names import snake_case

_LOST = ("schema_contract", "merge_key")


def declarable(config: Document, notes: Notes) -> Document:
    """Return a configuration without code and with the names of its secrets.

    Args:
        config: The configuration as plain data.
        notes: Takes what is left out of it.
    """
    given = [{"name": each} if isinstance(each, str) else each for each in config.get("resources") or []]
    named = [each if is_code(each) else with_names(each, notes) for each in given]
    config = _converted(without_code({**config, "resources": named}, notes))
    config["resources"] = _told_apart(config["resources"], notes)
    unknown = UnknownValues(notes, config["resources"])
    client = _client(dict(config.get("client") or {}), unknown, notes)
    defaults = _resource(config.get("resource_defaults") or {}, client, unknown, notes)
    resources = [
        _keyed(_resource(resource, client, unknown, notes), defaults, notes) for resource in config["resources"]
    ]
    known = {key: value for key, value in config.items() if key in ("params", "notes", "title", "rate_limit")}
    params = {**unknown.params, **known.pop("params", {})}
    return {
        **known,
        "client": client,
        **({"params": params} if params else {}),
        **({"resource_defaults": defaults} if defaults else {}),
        "resources": _in_own_tables(resources, notes),
    }


def _told_apart(resources: list[Document], notes: Notes) -> list[Document]:
    """Give resources names that a table can have, and each its own."""
    found: list[Document] = []
    times: Counter[str] = Counter()
    for resource in resources:
        given = str(resource.get("name"))
        times[given] += 1
        name = _letters_first(given) + (f"_{times[given]}" if times[given] > 1 else "")
        if name != given:
            notes.add("assumed", f"the list {given!r} is called {name}", name)
        own = {} if name == given or resource.get("endpoint") else {"endpoint": {"path": given}}
        table = {"table_name": _letters_first(str(resource["table_name"]))} if resource.get("table_name") else {}
        found.append({**resource, "name": name, **own, **table})
    return found


def _letters_first(name: str) -> str:
    return name if re.match("[A-Za-z]", name) else f"list_{name}".rstrip("_")


def _in_own_tables(resources: list[Document], notes: Notes) -> list[Document]:
    """Give each list a table of its own where several are loaded into one."""
    tables = [snake_case(str(one.get("table_name") or one.get("name"))) for one in resources]
    shared = {table for table, times in Counter(tables).items() if times > 1}
    found = []
    for table, resource in zip(tables, resources, strict=True):
        if table in shared and resource.get("table_name"):
            notes.add("assumed", "each list has its own table where several are loaded into one", str(resource["name"]))
            resource = {key: value for key, value in resource.items() if key != "table_name"}
        found.append(_with_short_table(resource, notes))
    return found


def _with_short_table(resource: Document, notes: Notes) -> Document:
    """Name the table of a list whose name is longer than a table's may be."""
    table = snake_case(str(resource.get("table_name") or resource.get("name")))
    if (short := short_table(table)) == table:
        return resource
    notes.add("assumed", f"the table {short} is named after its list, shortened", str(resource.get("name")))
    return {**resource, "table_name": short}


def _client(client: Document, unknown: UnknownValues, notes: Notes) -> Document:
    client.pop("session", None)
    client = unknown.address(client)
    headers = dict(client.get("headers") or {})
    for name in [*headers]:
        if name.lower() == "authorization" and not client.get("auth"):
            client["auth"] = header_log_in(name, str(headers.pop(name)), notes)
    client.pop("headers", None)
    if headers:
        client["headers"] = unknown.shared(headers)
    if REFERENCE.search(str(client.get("auth"))) and isinstance(client["auth"], str):
        notes.add("lost", f"client.auth is an object that the pipeline is given ({client.pop('auth')})")
    if client.get("auth"):
        client["auth"] = log_in(client["auth"], notes)
    if isinstance(paginator := client.get("paginator"), dict):
        client["paginator"], sent = _learned(paginator, "", notes)
        if sent.get("params"):
            client["params"] = {**sent["params"], **client.get("params", {})}
    return client


def _resource(resource: Document, client: Document, unknown: UnknownValues, notes: Notes) -> Document:
    resource = unknown.bound(resource)
    name = str(resource.get("name", ""))
    endpoint = resource.get("endpoint")
    if isinstance(endpoint, dict):
        endpoint = dict(endpoint)
        if endpoint.get("auth"):
            endpoint["auth"] = log_in(endpoint["auth"], notes)
        if further := endpoint.pop("_further_auth", None):
            usual = endpoint.get("auth") or client.get("auth")
            endpoint["auth"] = [usual, *further] if usual else further[0] if len(further) == 1 else further
        if isinstance(paginator := endpoint.get("paginator"), dict):
            endpoint["paginator"], sent = _learned(paginator, name, notes)
            endpoint |= {key: {**values, **(endpoint.get(key) or {})} for key, values in sent.items()}
        resource["endpoint"] = endpoint
    if resource.get("primary_key") == "":
        del resource["primary_key"]
    for key in _LOST:
        if resource.pop(key, None):
            notes.add("lost", f"{key} has no counterpart", *([name] if name else []))
    return resource


def _learned(paginator: Document, resource: str, notes: Notes) -> tuple[Document, Document]:
    """Return a paginator, and what else it sends, with a note if it was learned from code."""
    kind = paginator.get("__learned__")
    if kind:
        what = f"the paginator {kind} is code; tried with made-up answers, it pages by {paginator['type']}"
        notes.add("assumed", what, *([resource] if resource else []))
    kept = {key: value for key, value in paginator.items() if not key.startswith("__")}
    return kept, paginator.get("__sent__", {})


def _keyed(resource: Document, defaults: Document, notes: Notes) -> Document:
    """Return a resource that is merged by a key, or not merged: dlt appends what it is to merge without one."""
    whole = {**defaults, **resource}
    disposition = whole.get("write_disposition")
    kind = disposition.get("disposition") if isinstance(disposition, dict) else disposition
    if kind != "merge" or whole.get("primary_key"):
        return resource
    endpoint = resource.get("endpoint")
    changes = isinstance(endpoint, dict) and "'incremental'" in str((endpoint.get("params"), [*endpoint]))
    what = "append" if changes else "replace"
    notes.add("assumed", f"merge without a key is {what}", str(resource.get("name")))
    return {**resource, "write_disposition": what}


def _converted(value: Any) -> Any:
    """Return a configuration in which increments name what their function made of the first value."""
    if isinstance(value, list):
        return [_converted(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = value.get("convert")
    if isinstance(made, dict) and "__made__" in made:
        return {**{key: item for key, item in value.items() if key != "convert"}, "converted": made["__made__"]}
    return {key: _converted(item) for key, item in value.items()}
