"""Turn pydantic's findings into one sentence that names resource and key, what is allowed and what is nearest."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from crm_assets.declarations.errors import KeyValueError, SpecError, UnknownKeyError, closest, listed, nearest, together
from crm_assets.declarations.models.base import Spec

_DATE_EXPECTED = "expected a date such as 2024-01-31"
_WANTED = {
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "string_type": "expected text",
    "dict_type": "expected a mapping",
    "tuple_type": "expected a list",
    "model_type": "expected a mapping",
    "model_attributes_type": "expected a mapping",
    "date_type": _DATE_EXPECTED,
    "date_parsing": _DATE_EXPECTED,
    "date_from_datetime_parsing": _DATE_EXPECTED,
    "date_from_datetime_inexact": _DATE_EXPECTED,
}
_WANTED_WITH = {
    "string_pattern_mismatch": "expected text that matches {pattern}",
    "string_too_short": "expected text of at least {min_length} characters",
    "too_short": "expected at least {min_length} entries",
    "greater_than_equal": "expected at least {ge}",
    "less_than_equal": "expected at most {le}",
}


def explain(error: ValidationError, model: type[BaseModel], data: Any) -> SpecError:
    """Return all findings as one :class:`SpecError`, each with resource and key in the user's words as its place.

    Unknown keys come first, and what is missing because of them is left out: a misspelt key is also a missing one.
    """
    findings = error.errors(include_url=False)
    meant = {_meant(model, finding["loc"]) for finding in findings if finding["type"] == "extra_forbidden"}
    told = [finding for finding in findings if not (finding["type"] == "missing" and _follows(finding["loc"], meant))]
    told.sort(key=lambda finding: finding["type"] != "extra_forbidden")
    explained: dict[str, SpecError] = {}
    for finding in told:
        place, key = _place_of(finding["loc"], data)
        place += [f"key {key}"] if key else []
        # The branches of a union are findings of one place; the first is of the type people mean.
        explained.setdefault(", ".join(place), _explained(finding, model, place))
    return together(explained.values())


def _explained(finding: Any, model: type[BaseModel], place: list[str]) -> SpecError:
    cause = finding.get("ctx", {}).get("error")
    if isinstance(cause, SpecError):
        return cause.inside(*place)
    kind = UnknownKeyError if finding["type"] == "extra_forbidden" else KeyValueError
    return kind(_finding_problem(finding, model), *place)


def _meant(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[int | str | None, ...]:
    """Return where the key stands that an unknown one was meant to be."""
    return (*location[:-1], closest(str(location[-1]), _allowed_keys(model, location[:-1])))


def _follows(location: tuple[int | str, ...], meant: set[tuple[int | str | None, ...]]) -> bool:
    """Return whether a key is missing because of a misspelt one: its own, or that of the defaults."""
    return location in meant or (location[0] == "resources" and ("resource_defaults",) in meant)


def _place_of(location: tuple[int | str, ...], data: Any) -> tuple[list[str], str]:
    """Walk the data along pydantic's location; return the named things passed, and the path of keys below the last."""
    place: list[str] = []
    keys: list[str] = []
    here = data
    tagged = None
    for step, part in enumerate(location, 1):
        if isinstance(here, dict) and part == here.get("type") and here is not tagged and step < len(location):
            tagged = here  # pydantic's location names the branch of a union, which a key may be named as, too
        elif isinstance(here, dict) and part in here:
            here = here[part]
            keys.append(str(part))
        elif isinstance(here, (list, tuple)) and isinstance(part, int) and part < len(here):
            here = here[part]
            if isinstance(here, dict) and "name" in here and keys:
                place.append(f"{keys.pop().removesuffix('s')} {here['name']}")
            else:
                keys.append(f"number {part + 1}")
        elif isinstance(here, dict) and part != here.get("type"):
            keys.append(str(part))
    return place, ".".join(keys)


def _finding_problem(finding: Any, model: type[BaseModel]) -> str:
    kind, context, location = finding["type"], finding.get("ctx", {}), finding["loc"]
    if kind == "extra_forbidden":
        allowed = _allowed_keys(model, location[:-1])
        return f"unknown key{nearest(str(location[-1]), allowed)} Allowed here: {listed(allowed)}"
    if kind == "missing":
        return "is missing" + _choice(model, location)
    if kind == "union_tag_invalid":
        tags = [tag.strip(" '") for tag in context["expected_tags"].split(",")]
        return f"type {context['tag']!r} is not known{nearest(context['tag'], tags)} Allowed: {listed(tags)}"
    if kind == "union_tag_not_found":
        return f"needs a type{_choice(model, location)}"
    if kind in ("literal_error", "enum"):
        words = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        meant = closest(str(finding["input"]), words)
        choice = f"did you mean {meant!r}? Allowed" if meant else "allowed"
        return f"got {_offending_value(finding)}; {choice}: {context['expected']}"
    if kind == "value_error":
        return str(context["error"])
    wanted = _WANTED.get(kind) or _WANTED_WITH.get(kind, finding["msg"]).format(**context)
    return f"{wanted}, got {_offending_value(finding)}"


def _offending_value(finding: Any) -> str:
    """Return the offending value for a message: never under ``auth``, where a secret may stand by mistake."""
    value = finding["input"]
    if "auth" in finding["loc"]:
        return "something else"
    if isinstance(value, (dict, list, tuple)):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _choice(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    """Return what may stand at a place, if that is a choice of words or of types."""
    annotation = _annotation(model, location)
    words = list(_words(annotation))
    if not words:
        tags = (found.model_fields.get("type") for found in _models(annotation))
        words = [word for tag in tags if tag for word in _words(tag.annotation)]
    return f"; allowed: {listed(words)}" if words else ""


def _words(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(word for argument in get_args(annotation) for word in _words(argument))


def _allowed_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys people may write at a place, under the names they write."""
    keys: set[str] = set()
    for found in _models(_annotation(model, location)):
        keys |= {field.alias or name for name, field in found.model_fields.items()}
        if issubclass(found, Spec):
            keys = (keys | found.resolved_keys) - found.loader_keys
    return sorted(keys)


def _annotation(model: Any, location: tuple[int | str, ...]) -> Any:
    for part in location:
        model = _annotation_below(model, part)
    return model


def _annotation_below(annotation: Any, part: int | str) -> Any:
    for candidate in _models(annotation):
        fields: dict[str, FieldInfo] = candidate.model_fields
        for name, field in fields.items():
            if part in (name, field.alias):
                return field.annotation
        if "type" in fields and part in _words(fields["type"].annotation):
            return candidate
    return annotation


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]
