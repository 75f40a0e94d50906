"""Resources: one REST list each, with the rules between its parts."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BeforeValidator, Field, model_validator

from crm_assets.declarations.errors import Problems, SpecError, unknown
from crm_assets.declarations.models.base import Spec, placeholders
from crm_assets.declarations.models.columns import Columns
from crm_assets.declarations.models.endpoint import Endpoint
from crm_assets.declarations.models.export_job import as_values
from crm_assets.declarations.models.incremental import Incremental, Window

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"


def _key_names(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


FixedValues = Annotated[tuple[str | int, ...], BeforeValidator(as_values), Field(min_length=1)]


class Reference(NamedTuple):
    """A value in the rows of one resource that is a key of another's."""

    column: str
    path: tuple[str, ...]
    """Where the value is inside a ``json`` column; empty for the column itself."""
    resource: str
    key: str
    """The column of ``resource`` it is a value of."""


class Parent(Spec):
    """The resource whose rows a child list is read for, one list per row."""

    resource: str
    field: str = "id"
    """The parent's column whose value fills the placeholder."""
    placeholder: str
    """Name of the placeholder."""
    only_changed: bool = False
    """Ask only the parents that changed since the last read; all of them when the parent is read in full."""
    further_fields: dict[str, str] = Field(default_factory=dict)
    """Further columns of the parent, by the placeholders they fill, in requests or in columns."""

    @property
    def values(self) -> dict[str, str]:
        """All columns of the parent that a list is read with, by placeholder."""
        return {self.placeholder: self.field, **self.further_fields}


class Resource(Spec):
    """One REST list, one table, one asset."""

    resolved_keys: ClassVar[frozenset[str]] = frozenset({"remove"})

    name: str = Field(pattern=NAME_PATTERN)
    description: str = ""
    endpoint: Endpoint
    primary_key: Annotated[tuple[str, ...], BeforeValidator(_key_names)] = ()
    """Columns that identify a row; a list without them is written as a whole."""
    write_disposition: Literal["merge", "replace", "append"]
    """``merge``: by ``primary_key``. ``replace``: each read takes the place of the one before. ``append``: rows of all
    reads, distinguished by ``_read_id``. Left out it is ``merge`` with a key and ``replace`` without one."""
    selected: bool = True
    """Whether it has a table; otherwise it is read for its children alone."""
    for_each: dict[str, FixedValues] = Field(default_factory=dict)
    """Values that fill placeholders, one list each; ``{param}`` stands for those a connection gives, by commas."""
    parent: Parent | None = None
    incremental: Incremental | None = None
    window: Window | None = None
    columns: Columns = Field(default_factory=dict)
    undeclared_fields: Literal["extra", "columns"] = "extra"
    """Where a field goes that is not among them: ``extra`` keeps it in ``_extra``, ``columns`` makes it a column, of a
    type that holds all its values. Left out it is ``columns`` where no column is declared."""
    verified: Literal["contract", "connector", "inferred", "observed"] = "contract"
    """What the declaration rests on: the vendor's documentation, a working connector, a reading of either, or answers
    of the API that were looked at."""
    evidence: str = ""
    """Where that was found, and what was in doubt."""
    max_delete_fraction: float = Field(default=0.3, ge=0, le=1)
    """Greatest share of the live rows that one full refresh may mark as deleted."""
    history: bool = False
    """Whether every version of every row is kept, in a table beside its own."""

    @property
    def mode(self) -> Literal["window", "incremental", "full_refresh"]:
        """How the resource is read day after day."""
        return "window" if self.window else "incremental" if self.incremental else "full_refresh"

    @property
    def wire_placeholders(self) -> frozenset[str]:
        """Names of all placeholders its requests contain."""
        filters = [part for part in (self.window, self.incremental) if part]
        endpoint = self.endpoint
        templates: list[object] = [endpoint.path, endpoint.headers, endpoint.params, endpoint.json_body]
        templates += [template for part in filters for template in (part.params, part.json_body)]
        return frozenset(placeholders(templates))

    def column_of(self, placeholder: str) -> str | None:
        """Return the column that a placeholder of the request fills, or ``None``."""
        return next((name for name, column in self.columns.items() if column.placeholder == placeholder), None)

    @model_validator(mode="before")
    @classmethod
    def _written_as_its_key_allows(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "write_disposition" in value:
            return value
        return {**value, "write_disposition": "merge" if value.get("primary_key") else "replace"}

    @model_validator(mode="after")
    def _is_sound(self) -> Resource:
        _check_consistency(self)
        return self


def _check_consistency(resource: Resource) -> None:
    """Check that a resource's key and filters speak of its columns, and that a filter really filters.

    Raises:
        SpecError: They don't.
    """
    problems = Problems()
    with problems.noted():
        if resource.window and resource.incremental:
            raise SpecError("give window or incremental, not both", "key window")
    with problems.noted():
        _check_column(resource, "primary_key", *resource.primary_key)
    with problems.noted():
        if resource.write_disposition == "merge" and not resource.primary_key:
            raise SpecError("merge needs primary_key; write replace or append without one", "key write_disposition")
    with problems.noted():
        check_history(resource)
    for name in resource.for_each:
        with problems.noted():
            if name not in resource.wire_placeholders:
                raise SpecError(
                    f"no request contains {{{name}}}, so every value would get the same list", "key for_each"
                )
    for key, part, start in (
        ("window", resource.window, "window_start"),
        ("incremental", resource.incremental, "incremental.start_value"),
    ):
        if part:
            with problems.noted():
                _check_column(resource, f"{key}.field", part.field)
                _check_dated(resource, f"{key}.field", part.field)
            with problems.noted():
                _check_filter(resource, key, start)
    problems.raise_all()


def check_history(resource: Resource) -> None:
    """Check that a resource of which versions are kept has rows that can be recognized.

    Raises:
        SpecError: It has not.
    """
    if resource.history and resource.write_disposition != "merge":
        raise SpecError(
            f"versions are kept of rows that are merged by their key, and {resource.name} is written by "
            f"{resource.write_disposition}",
            "key history",
        )


def _check_filter(resource: Resource, key: str, placeholder: str) -> None:
    if placeholder not in resource.wire_placeholders:
        raise SpecError(
            f"no request contains {{{placeholder}}}, so every read would return the whole list", f"key {key}"
        )


def _check_column(resource: Resource, key: str, *names: str) -> None:
    for name in names:
        if name not in resource.columns:
            raise SpecError(unknown("column", name, resource.columns), f"key {key}")


def _check_dated(resource: Resource, key: str, name: str) -> None:
    """Anything but a time would start the next read wherever the server's greatest value happens to be."""
    kind = resource.columns[name].type.value
    if kind not in ("timestamp", "date"):
        raise SpecError(
            f"{name} is a {kind} column, and only a timestamp or a date can be compared with the present; "
            f"if it contains times, declare it as timestamp (format: iso, epoch_s or epoch_ms)",
            f"key {key}",
        )
