"""Export jobs: lists that a server makes as a file on request."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from crm_assets.declarations.json_path import JsonPath
from crm_assets.declarations.models.base import Spec, placeholders

JOB = "job_id"
"""Placeholder of a job's id."""
_FILE_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+")


def as_values(value: Any) -> Any:
    """Return one value as a tuple of one, and anything else as it is."""
    return (value,) if isinstance(value, (str, bool, int)) else value


def _lower_case(value: Any) -> Any:
    return tuple(str(one).lower() for one in value) if isinstance(value, (list, tuple)) else value


def _hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    for host in hosts:
        if not _FILE_HOST.fullmatch(host):
            raise ValueError(f"expected the name of a host, such as files.example.com or *.example.com, got {host!r}")
    return hosts


States = Annotated[tuple[str, ...], BeforeValidator(_lower_case), BeforeValidator(as_values)]


class ExportJob(Spec):
    """A list that is asked for, waited for and downloaded. The endpoint's own request asks for it."""

    id_path: JsonPath = ("id",)
    """Where the answer to that request has the job's id."""
    status_url: str
    """Path below ``base_url`` that says how far the job is, with ``{job_id}``."""
    status_path: JsonPath = ("status",)
    done: States = Field(min_length=1)
    """What is at ``status_path`` once the file is there; letters in any case."""
    failed: States = ()
    """What is there if it will never be."""
    file_path: JsonPath | None = None
    """Where the answer of a job that is done has the address of the file, or a list of those of several."""
    file_url: str | None = None
    """Or its path below ``base_url``, with ``{job_id}``."""
    file_hosts: Annotated[tuple[str, ...], AfterValidator(_hosts)] = ()
    """Hosts beside that of ``base_url`` that the file may be at; credentials are not sent there."""
    interval: float = Field(default=5, ge=1)
    """Seconds between two questions."""
    max_wait: float = Field(default=3600, gt=0, le=86_400)
    """Seconds after which the job is given up."""

    @model_validator(mode="after")
    def _leads_to_a_file(self) -> ExportJob:
        if (self.file_path is None) == (self.file_url is None):
            raise ValueError("give file_path or file_url")
        if JOB not in placeholders(self.status_url):
            raise ValueError(f"status_url must contain {{{JOB}}}, where the id of the job goes")
        return self
