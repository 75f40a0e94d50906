"""Code in a configuration: what it did that a declaration does not do, and whether anything is lost by that."""

from __future__ import annotations

from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.losses import Notes


def is_code(value: Any) -> bool:
    """Whether a value is a function, a class or an object of the pipeline's own."""
    return isinstance(value, dict) and bool(value.keys() & {"__code__", "__stand_in__"})


def without_code(config: Document, notes: Notes) -> Document:
    """Return a configuration without functions and objects, which are named where they were."""

    def cleaned(value: Any, place: str, resource: str) -> Any:
        if isinstance(value, dict):
            name = str(value["name"]) if isinstance(value.get("name"), str) and _is_resource(place) else resource
            found: Document = {}
            conditions: list[Document] = []
            for key, item in value.items():
                where = f"{place}.{key}".strip(".")
                if is_code(item):
                    _note(item, where, name, notes)
                elif key == "response_actions" and isinstance(item, list):
                    found[key] = _actions(item, where, name, notes)
                elif key == "processing_steps" and isinstance(item, list):
                    conditions += _steps(item, value.get("primary_key"), name, notes)
                else:
                    found[key] = cleaned(item, where, name)
            return _filtered(found, conditions) if conditions else found
        if isinstance(value, list):
            if place.endswith("resources") and any(map(is_code, value)):
                notes.add("lost", "resources that are custom functions")
            return [cleaned(item, place, resource) for item in value if not is_code(item)]
        return value

    result: Document = cleaned(config, "", "")
    return result


def _filtered(resource: Document, conditions: list[Document]) -> Document:
    endpoint = resource.get("endpoint") or {}
    endpoint = {"path": endpoint} if isinstance(endpoint, str) else endpoint
    return {**resource, "endpoint": {**endpoint, "record_filter": conditions}}


def _is_resource(place: str) -> bool:
    return place.endswith("resources")


def _name(code: Document) -> str:
    return str(code.get("__code__") or code.get("__stand_in__") or "")


def _note(code: Document, place: str, resource: str, notes: Notes) -> None:
    where = place.removeprefix("resources.")
    match place.rpartition(".")[2]:
        case "session":
            notes.add("assumed", "client.session is left out: crm_assets does requests, retries and rates itself")
        case "columns":
            what = f"{where} are those of the class {_name(code)}: every field becomes a column, typed by its values"
            notes.add("assumed", what, *([resource] if resource else []))
        case _:
            notes.add("lost", f"{where} is code ({_name(code)})", *([resource] if resource else []))


def _actions(actions: list[Any], place: str, resource: str, notes: Notes) -> list[Any]:
    """Return the actions that are data; a function that only looks at answers changes none of them."""
    for action in actions:
        code = action if is_code(action) else action.get("action") if isinstance(action, dict) else None
        if not isinstance(code, dict):
            continue
        if "_content" in code.get("texts", ()):
            notes.add(
                "lost", f"{place.removeprefix('resources.')} is code that changes answers ({_name(code)})", resource
            )
        else:
            what = f"the status classifies answers, not the code {_name(code)}"
            notes.add("assumed", what, *([resource] if resource else []))
    return [action for action in actions if not is_code(action) and not is_code(action.get("action"))]


def _steps(steps: list[Any], key: Any, resource: str, notes: Notes) -> list[Document]:
    """Name what a pipeline does with records, and return what its filters were seen to let pass.

    Columns that are computed from a record alone are no loss: they can be computed later.
    """
    keys = [key] if isinstance(key, str) else key if isinstance(key, list) else []
    conditions: list[Document] = []
    for step in steps:
        for kind, given in step.items():
            code = given if isinstance(given, dict) else {}
            name = _name(code)
            made = [each for each in keys if each in code.get("texts", ())]
            if kind == "filter" and code.get("conditions"):
                conditions += code["conditions"]
                notes.add("assumed", f"the filter {name} is code; tried with made-up records, it is this one", resource)
            elif kind == "map" and not made:
                what = f"records come as the API sends them: {name}, which changes them, is not run"
                notes.add("assumed", what, resource)
            elif kind == "map":
                notes.add(
                    "lost", f"{name} of processing_steps may make the key {', '.join(made)}; it is not run", resource
                )
            else:
                notes.add("lost", f"the {kind} {name} of processing_steps is code; it is not run", resource)
    return conditions
