"""Turn pydantic's findings into one sentence that names resource and key, what is allowed and what is nearest."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from crm_assets.spec.errors import SpecError, listed, nearest

_WANTED = {
    "missing": "is missing",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "float_parsing": "expected a number",
    "string_type": "expected text",
    "dict_type": "expected a mapping",
    "tuple_type": "expected a list",
    "model_type": "expected a mapping",
    "model_attributes_type": "expected a mapping",
    "date_from_datetime_parsing": "expected a date such as 2024-01-31",
    "date_parsing": "expected a date such as 2024-01-31",
}


def explain(error: ValidationError, model: type[BaseModel], data: Any) -> SpecError:
    """Return the first finding as a :class:`SpecError` whose place is resource and key in the user's words."""
    finding = error.errors(include_url=False)[0]
    location = tuple(part for part in finding["loc"])
    place, key = _place(location, data)
    return SpecError(_problem(finding, location, model), *place, *([f"key {key}"] if key else []))


def _place(location: tuple[int | str, ...], data: Any) -> tuple[list[str], str]:
    place: list[str] = []
    keys: list[str] = []
    here = data
    for part in location:
        if isinstance(here, dict) and part in here:
            here = here[part]
        elif isinstance(here, (list, tuple)) and isinstance(part, int) and part < len(here):
            here = here[part]
            if isinstance(here, dict) and "name" in here and keys:
                place.append(f"{keys.pop().rstrip('s')} {here['name']}")
                continue
        elif part in _tags(here):
            continue
        keys.append(str(part))
    return place, ".".join(keys)


def _tags(here: Any) -> tuple[str, ...]:
    tag = here if isinstance(here, str) else here.get("type") if isinstance(here, dict) else None
    return (tag,) if isinstance(tag, str) else ()


def _problem(finding: Any, location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    kind, context = finding["type"], finding.get("ctx", {})
    if kind == "extra_forbidden":
        allowed = _allowed(model, location[:-1])
        return f"unknown key{nearest(str(location[-1]), allowed)} Allowed here: {listed(allowed)}"
    if kind == "union_tag_invalid":
        tags = [tag.strip(" '") for tag in context["expected_tags"].split(",")]
        return f"type {context['tag']!r} is not known{nearest(context['tag'], tags)} Allowed: {listed(tags)}"
    if kind == "union_tag_not_found":
        return "needs a type"
    if kind in ("literal_error", "enum"):
        return f"got {finding['input']!r}; allowed: {context['expected']}"
    if kind == "value_error":
        return str(context["error"])
    wanted = _WANTED.get(kind, finding["msg"])
    return wanted if kind == "missing" else f"{wanted}, got {finding['input']!r}"


def _allowed(model: Any, location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        model = _step(model, part)
    models = [m for m in _models(model)]
    return [field.alias or name for m in models for name, field in m.model_fields.items()]


def _step(annotation: Any, part: int | str) -> Any:
    for candidate in _models(annotation):
        for name, field in candidate.model_fields.items():
            if part in (name, field.alias):
                return field.annotation
        tag = candidate.model_fields.get("type")
        if tag and part in get_args(tag.annotation):
            return candidate
    return annotation


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]
