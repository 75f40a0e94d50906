"""An endpoint: one list of an API, as requests see it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from crm_assets.declarations.json_path import JsonPath
from crm_assets.declarations.models.auth import Auth
from crm_assets.declarations.models.base import Spec
from crm_assets.declarations.models.export_job import ExportJob
from crm_assets.declarations.models.paginator import Auto, PaginatorField, SinglePage, counter
from crm_assets.declarations.models.records import RecordFilter, ResponseDecoder
from crm_assets.declarations.models.request_rules import check_headers


class WaitFrom(Spec):
    """Where an error answer says how long to wait, for APIs that do not use ``Retry-After``."""

    header: str | None = None
    path: JsonPath | None = None
    """Path in the JSON body."""
    unit: Literal["s", "ms", "us", "ns"] | None = None
    """Unit of a number; when left out it is inferred from its size."""

    @model_validator(mode="after")
    def _one_place(self) -> WaitFrom:
        if (self.header is None) == (self.path is None):
            raise ValueError("give header or path")
        return self


_LONGEST_BACKOFF = 86_400
"""Seconds; no run should wait for longer before it says what is wrong."""


class ErrorHandler(Spec):
    """What is retried, how often, and what is skipped (and then reported)."""

    retry_on_status_codes: tuple[int, ...] = (429, 500, 502, 503, 504)
    max_retries: int = Field(default=3, ge=0, le=100)
    backoff_factor: float | None = Field(default=None, ge=0, le=_LONGEST_BACKOFF)
    """Seconds before the first retry, doubled for each further one."""
    backoff_constant: float | None = Field(default=None, ge=0, le=_LONGEST_BACKOFF)
    """Seconds before every retry."""
    wait_from: WaitFrom | None = None
    """Where the server says how long to wait; before ``Retry-After`` and the seconds above."""
    ignore_status_codes: tuple[int, ...] = ()
    """Statuses that skip a parent (or the resource); the skip is reported by the completeness check."""

    @model_validator(mode="after")
    def _one_backoff(self) -> ErrorHandler:
        if self.backoff_factor is not None and self.backoff_constant is not None:
            raise ValueError("give backoff_factor or backoff_constant, not both")
        transient = sorted({429, *range(500, 600)} & set(self.ignore_status_codes))
        if transient:
            raise ValueError(
                f"ignore_status_codes must not contain {transient}: a short read would look complete; "
                f"allowed are statuses below 500 other than 429"
            )
        return self

    def wait(self, attempt: int) -> float:
        """Return the seconds to wait before retry number ``attempt`` (from 1) when the server names none."""
        if self.backoff_constant is not None:
            return self.backoff_constant
        factor = 2.0 if self.backoff_factor is None else self.backoff_factor
        return factor * float(2 ** (attempt - 1))


class ResponseAction(Spec):
    """What follows an answer, by its status and by what its body says. The first that applies decides.

    ``status_code``, ``content`` and ``action: ignore`` are dlt's.
    """

    status_code: int | None = None
    content: str | None = None
    """Text the body contains."""
    path: JsonPath | None = None
    """Path in the JSON body: it applies if there is anything but null, false, 0 or an empty text, list or object."""
    equals: str | int | float | bool | None = None
    """What is at ``path``, where that matters."""
    action: Literal["ignore", "retry", "empty", "read", "fail"]
    """``ignore``: pass the list over and report it. ``retry``: as a status to be tried again. ``empty``: a page without
    records. ``read``: a page like any with status 200. ``fail``: the list cannot be read."""

    @model_validator(mode="after")
    def _applies_to_something(self) -> ResponseAction:
        if self.status_code is None and self.content is None and self.path is None:
            raise ValueError("give status_code, content or path")
        if self.equals is not None and self.path is None:
            raise ValueError("equals needs path")
        if self.action == "ignore" and self.content is None and self.path is None and (self.status_code or 0) < 400:
            raise ValueError("ignore needs a status_code of 400 and above, or what the body says")
        if self.action == "ignore" and self.status_code in (429, *range(500, 600)):
            raise ValueError(f"a {self.status_code} is temporary; ignored, a short read would look complete")
        return self


class Include(Spec):
    """Records of a JSON:API ``included`` list joined into the rows of the same page."""

    path: JsonPath = ("included",)
    """Where the included records are in the body."""
    on: JsonPath
    """Path in a record to the companion's id, such as ``relationships.location.data.id``."""
    field: str
    """Key under which the companion record is put into the record, for ``source`` paths to reach."""
    type: str | None = None
    """JSON:API type of the companions, where the list mixes several."""


class Endpoint(Spec):
    """Where a list is and how it is asked for."""

    path: str
    method: Literal["GET", "POST"] = "GET"
    auth: Auth | None = None
    """Authentication of this list, in place of the client's."""
    headers: Annotated[dict[str, str], AfterValidator(check_headers)] = Field(default_factory=dict)
    """Further headers of its requests."""
    params: dict[str, Any] = Field(default_factory=dict)
    json_body: dict[str, Any] | None = Field(default=None, alias="json")
    """Body of each request. Placeholders are filled as in ``path`` and ``params``."""
    body_format: Literal["json", "form"] = "json"
    """How the body is sent: as JSON, or as the fields of a form."""
    data_selector: JsonPath | None = None
    """Path of the record list in the body; ``*`` walks arrays and id-keyed objects. Without it the list is found by
    looking at the first answer."""
    unwrap: str | None = None
    """Key that may wrap each record (``{"appointment": {…}}``); records without it are taken as they are."""
    outer_fields: dict[str, JsonPath] = Field(default_factory=dict)
    """Fields of the objects around a nested list, put into each of its records: name to path in the nearest object."""
    record_filter: tuple[RecordFilter, ...] = ()
    """Conditions that a record has to meet, all of them, to become a row."""
    decoder: ResponseDecoder | None = None
    """How a body becomes JSON; without it the content type says so."""
    paginator: PaginatorField = Auto(type="auto")
    error_handler: ErrorHandler = ErrorHandler()
    response_actions: tuple[ResponseAction, ...] = ()
    """What follows answers of a certain kind, before their status is looked at."""
    error_path: JsonPath | None = None
    """A path that, present in a 200 answer, makes it an error (``ErrorCode``); its text is reported."""
    absent_list: Literal["error", "empty"] = "error"
    """What an answer means that has nothing at ``data_selector``, neither a list nor ``null``, and no count of 0."""
    include: Include | None = None
    export_job: ExportJob | None = None
    """How the list comes as a file that is made on request."""

    @model_validator(mode="after")
    def _pages_differ(self) -> Endpoint:
        name, location = counter(self.paginator)
        if self.export_job and not isinstance(self.paginator, SinglePage):
            raise ValueError("the files of an export_job are not paged: declare paginator: single_page")
        if location == "query" and name in self.params:
            raise ValueError(f"params sets {name}, which the paginator counts: every page would be the same one")
        if location == "json" and self.method != "POST" and "method" not in self.model_fields_set:
            raise ValueError("a paginator with location: json needs method: POST")
        return self
