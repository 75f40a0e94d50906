"""Export jobs: made by a list's own request, pending when they are first asked for, then done and downloaded."""

from __future__ import annotations

from dataclasses import dataclass, replace

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crm_assets.declarations import Connection
from crm_assets.declarations.models.export_job import JOB, ExportJob
from crm_assets.sandbox.calls import Call, values_of_path
from crm_assets.sandbox.credentials import check_credentials
from crm_assets.sandbox.paging import PageRequest
from crm_assets.sandbox.wire import enveloped

_PENDING = "pending"
_FILE = "file"
"""Last segment of the address of a file, behind that of its job."""


@dataclass
class _Job:
    page: PageRequest
    """The list it exports."""
    asked: int = 0
    """How often its state was asked for."""


class Exports:
    """The export jobs of all connections."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}

    def make(self, page: PageRequest, job: ExportJob) -> Response:
        """Make a job that exports a list, and answer with its id."""
        job_id = f"export-{len(self._jobs) + 1}"
        self._jobs[job_id] = _Job(page)
        return JSONResponse(enveloped({}, {job.id_path: job_id, job.status_path: _PENDING}), 202)

    def at(self, connection: Connection, call: Call, request: Request) -> Response | PageRequest | None:
        """Return how far the job at an address is, the list whose file is there, or ``None`` if neither is.

        Raises:
            HTTPException: The job is unknown (404), or the credential is missing or wrong (401).
        """
        for resource in connection.system.resources:
            declared = resource.endpoint.export_job
            if declared is None or call.method != "GET":
                continue
            status = values_of_path(declared.status_url, call.path)
            file = values_of_path(declared.file_url or f"{declared.status_url}/{_FILE}", call.path)
            found = status or file
            if found is None:
                continue
            check_credentials(connection, resource, request)
            job = self._jobs.get(str(found[JOB]))
            if job is None or job.page.resource != resource:
                raise HTTPException(404, f"No export {found[JOB]}.")
            return self._state(job, declared, call) if status else replace(job.page, request=request)
        return None

    def _state(self, job: _Job, declared: ExportJob, call: Call) -> Response:
        job.asked += 1
        if job.asked == 1:
            return JSONResponse(enveloped({}, {declared.status_path: _PENDING}))
        done = {declared.status_path: declared.done[0]}
        file = {declared.file_path: f"{call.url}/{_FILE}"} if declared.file_path else {}
        return JSONResponse(enveloped({}, {**done, **file}))
