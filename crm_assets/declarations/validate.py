"""Rules between the resources of a system: every name leads somewhere, every placeholder is filled, no read loops."""

from __future__ import annotations

from collections import Counter

from crm_assets.declarations.errors import Problems, SpecError, listed, nearest, unknown
from crm_assets.declarations.models.base import placeholders
from crm_assets.declarations.models.resource import Resource
from crm_assets.declarations.models.simple_auth import AuthSpec
from crm_assets.declarations.models.system import System
from crm_assets.declarations.names import check_table_names


def check_system(system: System) -> None:
    """Check that resources are there and differ, that parents exist, and that every placeholder is filled.

    Raises:
        SpecError: One isn't; the place names resource and key.
    """
    if not system.resources:
        raise SpecError("a system needs at least one resource", "key resources")
    doubles = [name for name, times in Counter(resource.name for resource in system.resources).items() if times > 1]
    if doubles:
        raise SpecError(f"{listed(doubles)} declared more than once", "key resources")
    problems = Problems()
    with problems.noted():
        _check_system_names(system)
    with problems.noted():
        _check_client(system)
    for resource in system.resources:
        with problems.noted():
            if resource.endpoint.auth:
                _check_auth(system, resource.endpoint.auth, "endpoint.auth", f"resource {resource.name}")
        with problems.noted():
            _check_parent(system, resource)
        with problems.noted():
            _check_placeholders(system, resource)
        with problems.noted():
            _check_references(system, resource)
    problems.raise_all()


def _check_system_names(system: System) -> None:
    try:
        check_table_names(resource.name for resource in system.resources)
    except ValueError as error:
        raise SpecError(str(error), "key resources") from None


def _check_client(system: System) -> None:
    client = system.client
    for key, template in (("base_url", client.base_url), ("headers", client.headers), ("params", client.params)):
        for name in placeholders(template):
            if name not in system.params:
                raise SpecError(
                    f"nothing fills {{{name}}}{nearest(name, system.params)} Declare it under params",
                    f"key client.{key}",
                )
    _check_auth(system, client.auth, "client.auth")


def _check_auth(system: System, auth: AuthSpec, key: str, *place: str) -> None:
    for name, part in auth.params().items():
        if name not in system.params:
            raise SpecError(
                f"nothing fills {{{name}}}{nearest(name, system.params)} Declare it under params",
                *place,
                f"key {key}.{part}",
            )
    for name in auth.secrets:
        if name in system.params:
            raise SpecError(f"{name} is the name of a secret; call the parameter something else", "key params")


def _check_parent(system: System, resource: Resource) -> None:
    if resource.parent is None:
        return
    place = (f"resource {resource.name}", "key parent")
    names = [other.name for other in system.resources]
    if resource.parent.resource not in names:
        raise SpecError(unknown("resource", resource.parent.resource, names), *place)
    columns = system.resource(resource.parent.resource).columns
    for field in resource.parent.values.values():
        if field not in columns:
            raise SpecError(unknown(f"column of {resource.parent.resource}", field, columns), *place)
    if resource.parent.placeholder not in resource.wire_placeholders:
        raise SpecError(
            f"no request contains {{{resource.parent.placeholder}}}, so all parents would get the same list", *place
        )
    if resource.parent.only_changed and (resource.window or not system.resource(resource.parent.resource).incremental):
        raise SpecError(
            "only_changed needs a parent with incremental, to know what changed, and a list without window; "
            f"leave it out to ask for the list of every row of {resource.parent.resource}",
            *place,
        )
    _check_descent(system, resource)


def _check_descent(system: System, resource: Resource) -> None:
    """Walk up the parents; an unknown one ends the walk here and is reported where it is named."""
    above = {other.name: other.parent.resource for other in system.resources if other.parent}
    line = [resource.name]
    while (parent := above.get(line[-1])) is not None:
        if parent in line:
            raise SpecError(
                f"the parents form a loop: {' → '.join([*line, parent])}", f"resource {resource.name}", "key parent"
            )
        line.append(parent)


def _check_placeholders(system: System, resource: Resource) -> None:
    known = set(system.params)
    known |= {"window_start", "window_end"} if resource.window else set()
    known |= {"incremental.start_value", "incremental.end_value"} if resource.incremental else set()
    known |= set(resource.parent.values) if resource.parent else set()
    known |= set(resource.for_each)
    for name in sorted(resource.wire_placeholders - known):
        raise SpecError(
            f"nothing fills {{{name}}}{nearest(name, known)} A parent resource, params, window or incremental would",
            f"resource {resource.name}",
            "key endpoint",
        )
    for column, spec in resource.columns.items():
        if spec.placeholder and spec.placeholder not in known:
            raise SpecError(
                f"nothing fills {{{spec.placeholder}}}{nearest(spec.placeholder, known)}",
                f"resource {resource.name}",
                f"key columns.{column}.source",
            )


def _check_references(system: System, resource: Resource) -> None:
    others = {other.name: other for other in system.resources}
    for column, spec in resource.columns.items():
        place = (f"resource {resource.name}", f"key columns.{column}.references")
        for path, reference in spec.references.items():
            target, _, key = reference.partition(".")
            if target not in others:
                raise SpecError(unknown("resource", target, others), *place)
            if key and key not in others[target].columns:
                raise SpecError(unknown(f"column of {target}", key, others[target].columns), *place)
            keys = others[target].primary_key
            if not key and len(keys) > 1:
                raise SpecError(
                    f"{target} has the key {', '.join(keys)}; name one column of it: {target}.{keys[-1]}", *place
                )
            if path != "$" and spec.type != "json":
                raise SpecError(
                    f"only a json column has values inside it, such as {path}; name the resource alone", *place
                )
