"""Tailoring: a connection's parameters, further columns and choice of resources laid over its system."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from crm_assets.declarations.errors import SpecError, unknown
from crm_assets.declarations.models.auth import token_auth, with_login_at
from crm_assets.declarations.models.base import fill, fill_url, placeholders
from crm_assets.declarations.models.columns import Column, ColumnType
from crm_assets.declarations.models.endpoint import Endpoint
from crm_assets.declarations.models.incremental import Incremental, Window
from crm_assets.declarations.models.resource import Resource, check_history
from crm_assets.declarations.models.system import Client, Param, System
from crm_assets.declarations.validate import check_system

if TYPE_CHECKING:
    from crm_assets.declarations.models.connection import Connection

ParamValues = Mapping[str, str | int]
_Requests = TypeVar("_Requests", Endpoint, Window, Incremental)


def apply_connection(connection: Connection) -> Connection:
    """Return the connection with its ``params`` completed by defaults and its system made its own.

    Raises:
        SpecError: The connection speaks of something its system does not have, or leaves out a parameter.
    """
    values = _param_values(connection.system, connection.params)
    system = _with_time_zone(_with_columns(connection.system, connection.columns), connection.timezone)
    check_system(system)
    try:
        override = connection.base_url_override and fill_url(connection.base_url_override, values)
        system = _with_values(system, values)
        token_url = connection.token_url and fill_url(connection.token_url, values)
    except ValueError as error:
        raise SpecError(str(error), "key params") from None
    system = _with_choice(_with_history(system, connection.history), connection.resources)
    if token_url:
        if not any(token_auth(auth) for auth in system.auths):
            raise SpecError(f"{system.name} has no authentication that asks for a token", "key token_url")
        system = system.with_auths(lambda auth: with_login_at(auth, lambda _: token_url))
    return connection.model_copy(update={"params": values, "base_url_override": override, "system": system})


def _param_values(system: System, overrides: ParamValues) -> dict[str, str | int]:
    for name in overrides:
        if name not in system.params:
            raise SpecError(unknown("parameter", name, system.params), "key params")
    return {name: _param_value(name, spec, overrides.get(name, spec.default)) for name, spec in system.params.items()}


def _param_value(name: str, spec: Param, value: str | int | None) -> str | int:
    example = f", such as {spec.example}" if spec.example else ""
    if value is None:
        raise SpecError(f"{name} is missing: {spec.description}{example}", "key params")
    if not str(value).isprintable() or (spec.pattern and not re.fullmatch(spec.pattern, str(value))):
        wanted = f"text that matches {spec.pattern}" if spec.pattern else "one line of text"
        raise SpecError(f"expected {wanted}{example}, got {value!r}", f"key params.{name}")
    return value


def _with_columns(system: System, further: Mapping[str, Mapping[str, Column]]) -> System:
    _refuse_unknown_resources(system, "columns", further)
    resources = [
        resource.model_copy(update={"columns": {**resource.columns, **further.get(resource.name, {})}})
        for resource in system.resources
    ]
    return system.model_copy(update={"resources": tuple(resources)})


def _with_time_zone(system: System, zone: str) -> System:
    """Return the system with the connection's zone in all columns of times that declare none; without one it is UTC."""
    if zone == "UTC":
        return system
    times = (ColumnType.TIMESTAMP, ColumnType.DATE)

    def zoned(column: Column) -> Column:
        return column.model_copy(update={"timezone": column.timezone or zone}) if column.type in times else column

    resources = [
        resource.model_copy(update={"columns": {name: zoned(column) for name, column in resource.columns.items()}})
        for resource in system.resources
    ]
    return system.model_copy(update={"resources": tuple(resources)})


def _with_history(system: System, kept: tuple[str, ...]) -> System:
    _refuse_unknown_resources(system, "history", kept)
    resources = tuple(
        resource.model_copy(update={"history": True}) if resource.name in kept else resource
        for resource in system.resources
    )
    for resource in resources:
        check_history(resource)
    return system.model_copy(update={"resources": resources})


def _with_choice(system: System, chosen: tuple[str, ...] | None) -> System:
    if chosen is None:
        return system
    _refuse_unknown_resources(system, "resources", chosen)
    resources = tuple(resource for resource in system.resources if resource.name in chosen)
    for resource in resources:
        if resource.parent and resource.parent.resource not in chosen:
            raise SpecError(
                f"{resource.name} is read for the rows of {resource.parent.resource}; choose that too", "key resources"
            )
    return system.model_copy(update={"resources": resources})


def _refuse_unknown_resources(system: System, key: str, wanted: Mapping[str, Any] | tuple[str, ...]) -> None:
    names = [resource.name for resource in system.resources]
    for name in wanted:
        if name not in names:
            raise SpecError(unknown(f"resource of {system.name}", name, names), f"key {key}")


def _with_values(system: System, values: ParamValues) -> System:
    resources = tuple(_with_resource_params(resource, values) for resource in system.resources)
    return system.model_copy(update={"resources": resources, "client": _with_client_params(system.client, values)})


def _with_client_params(client: Client, values: ParamValues) -> Client:
    filled = {
        "base_url": fill_url(client.base_url, values),
        "headers": {name: str(value) for name, value in _given(client.headers, values).items()},
        "params": _given(client.params, values),
        "auth": client.auth.filled(values),
    }
    return client.model_copy(update=filled)


def _with_resource_params(resource: Resource, values: ParamValues) -> Resource:
    endpoint = _with_request_params(resource.endpoint, values)
    where = {
        "path": fill_url(endpoint.path, values),
        "headers": {name: str(value) for name, value in _given(endpoint.headers, values).items()},
        "auth": endpoint.auth and endpoint.auth.filled(values),
    }
    endpoint = endpoint.model_copy(update=where)
    window = resource.window and _with_request_params(resource.window, values)
    incremental = resource.incremental and _with_request_params(resource.incremental, values)
    fixed = {name: _each(given, values) for name, given in resource.for_each.items()}
    filled = {"endpoint": endpoint, "window": window, "incremental": incremental, "for_each": fixed}
    return resource.model_copy(update=filled)


def _each(fixed: tuple[str | int, ...], values: ParamValues) -> tuple[str | int, ...]:
    """Return fixed values, those of a parameter one by one."""
    filled_values: list[str | int] = []
    for value in fixed:
        if placeholders(value):
            filled_values += [part for text in str(fill(value, values)).split(",") if (part := text.strip())]
        else:
            filled_values.append(value)
    return tuple(dict.fromkeys(filled_values))


def _with_request_params(part: _Requests, values: ParamValues) -> _Requests:
    return part.model_copy(update={"params": _given(part.params, values), "json_body": fill(part.json_body, values)})


def _given(template: Mapping[str, Any], values: ParamValues) -> dict[str, Any]:
    """Return the filled mapping without what an optional parameter left empty."""
    filled: dict[str, Any] = fill(dict(template), values)
    return {key: value for key, value in filled.items() if value != "" or template[key] == ""}
