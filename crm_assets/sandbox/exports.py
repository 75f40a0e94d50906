"""Export jobs: made by a list's own request, pending when they are first asked for, then done and downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

from starlette.responses import JSONResponse, Response

from crm_assets.declarations import Connection
from crm_assets.declarations.json_path import Segments
from crm_assets.declarations.models.base import fill_url
from crm_assets.declarations.models.export_job import JOB, ExportJob
from crm_assets.sandbox.bodies import enveloped
from crm_assets.sandbox.calls import Call, check_credentials
from crm_assets.sandbox.paging import PageRequest


class Exports:
    """The export jobs of all connections."""

    def __init__(self) -> None:
        self._served: dict[str, tuple[PageRequest, Iterator[dict[Segments, Any]] | None]] = {}
        """By path of a job and of its file: the list it exports, as one page, and what the job says when asked."""

    def make(self, page: PageRequest, job: ExportJob) -> Response:
        """Make a job that exports a list, and answer with its id."""
        job_id = f"export-{len(self._served) // 2 + 1}"
        urls = job.status_url, job.file_url or f"{job.status_url}/file"
        status, file = (f"{page.call.connection}/{fill_url(url, {JOB: job_id}).strip('/')}" for url in urls)
        link = {job.file_path: f"{page.call.request.base_url}{file}"} if job.file_path else {}
        pending = {job.status_path: "pending"}
        states = chain([pending], repeat({job.status_path: job.done[0], **link}))
        self._served |= {status: (page, states), file: (page, None)}
        return JSONResponse(enveloped({}, {job.id_path: job_id, **pending}), 202)

    def at(self, connection: Connection, call: Call) -> Response | PageRequest | None:
        """Return how far the job at an address is, the list whose file is there, or ``None`` if neither is.

        Raises:
            HTTPException: The credential is missing or wrong (401).
        """
        path = "/".join([call.connection, *call.path])
        page, states = self._served.get(path, (None, None)) if call.request.method == "GET" else (None, None)
        if page is None:
            return None
        check_credentials(connection, page.resource, call)
        return JSONResponse(enveloped({}, next(states))) if states else replace(page, call=call)
