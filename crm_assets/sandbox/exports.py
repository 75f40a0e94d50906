"""Export jobs: made by a list's own request, pending when they are first asked for, then done and downloaded."""

from __future__ import annotations

from dataclasses import replace

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from crm_assets.declarations import Connection
from crm_assets.declarations.models.export_job import JOB, ExportJob
from crm_assets.sandbox.bodies import enveloped
from crm_assets.sandbox.calls import Call
from crm_assets.sandbox.credentials import check_credentials
from crm_assets.sandbox.matching import values_of_path
from crm_assets.sandbox.paging import PageRequest

_PENDING, _FILE = "pending", "file"
"""State of a job that is not done, and the last segment of the address of its file, behind that of the job."""


class Exports:
    """The export jobs of all connections."""

    def __init__(self) -> None:
        self._pages: dict[str, PageRequest] = {}
        """The list that each job exports, as one page."""
        self._asked: set[str] = set()
        """Jobs whose state was asked for."""

    def make(self, page: PageRequest, job: ExportJob) -> Response:
        """Make a job that exports a list, and answer with its id."""
        job_id = f"export-{len(self._pages) + 1}"
        self._pages[job_id] = page
        return JSONResponse(enveloped({}, {job.id_path: job_id, job.status_path: _PENDING}), 202)

    def at(self, connection: Connection, call: Call) -> Response | PageRequest | None:
        """Return how far the job at an address is, the list whose file is there, or ``None`` if neither is.

        Raises:
            HTTPException: The job is unknown (404), or the credential is missing or wrong (401).
        """
        for resource in connection.system.resources if call.request.method == "GET" else ():
            job = resource.endpoint.export_job
            status = values_of_path(job.status_url, call) if job else None
            file = values_of_path(job.file_url or f"{job.status_url}/{_FILE}", call) if job else None
            if job and (found := status or file):
                check_credentials(connection, resource, call.request)
                page = self._pages.get(found[JOB])
                if page is None or page.resource != resource:
                    raise HTTPException(404, f"No export {found[JOB]}.")
                return self._state(job, found[JOB], call) if status else replace(page, call=call)
        return None

    def _state(self, job: ExportJob, job_id: str, call: Call) -> Response:
        if job_id not in self._asked:
            self._asked.add(job_id)
            return JSONResponse(enveloped({}, {job.status_path: _PENDING}))
        file = {job.file_path: f"{call.request.url.replace(query='')}/{_FILE}"} if job.file_path else {}
        return JSONResponse(enveloped({}, {job.status_path: job.done[0], **file}))
