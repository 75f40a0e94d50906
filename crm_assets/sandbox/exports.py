"""Export jobs: made by a list's own request, pending when they are first asked for, then done and downloaded."""

from __future__ import annotations

from dataclasses import dataclass, replace

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from crm_assets.declarations import Connection
from crm_assets.declarations.models.export_job import JOB, ExportJob
from crm_assets.sandbox.bodies import enveloped
from crm_assets.sandbox.calls import Call, values_of_path
from crm_assets.sandbox.credentials import check_credentials
from crm_assets.sandbox.paging import PageRequest

_PENDING, _FILE = "pending", "file"
"""State of a job, and the last segment of the address of its file, behind that of the job."""


@dataclass
class _Job:
    page: PageRequest
    """The list it exports."""
    state: str = _PENDING


class Exports:
    """The export jobs of all connections."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}

    def make(self, page: PageRequest, declared: ExportJob) -> Response:
        """Make a job that exports a list, and answer with its id."""
        job_id = f"export-{len(self._jobs) + 1}"
        self._jobs[job_id] = _Job(page)
        return JSONResponse(enveloped({}, {declared.id_path: job_id, declared.status_path: _PENDING}), 202)

    def at(self, connection: Connection, call: Call) -> Response | PageRequest | None:
        """Return how far the job at an address is, the list whose file is there, or ``None`` if neither is.

        Raises:
            HTTPException: The job is unknown (404), or the credential is missing or wrong (401).
        """
        for resource in connection.system.resources if call.request.method == "GET" else ():
            if declared := resource.endpoint.export_job:
                status = values_of_path(declared.status_url, call)
                found = status or values_of_path(declared.file_url or f"{declared.status_url}/{_FILE}", call)
                if found:
                    check_credentials(connection, resource, call.request)
                    job = self._jobs.get(str(found[JOB]))
                    if job is None or job.page.resource != resource:
                        raise HTTPException(404, f"No export {found[JOB]}.")
                    return _state(job, declared, call) if status else replace(job.page, call=call)
        return None


def _state(job: _Job, declared: ExportJob, call: Call) -> Response:
    """Return the state of a job, and where its file is once it is done: when it is asked for again."""
    values = {declared.status_path: job.state}
    if job.state != _PENDING and declared.file_path:
        values[declared.file_path] = f"{call.request.url.replace(query='')}/{_FILE}"
    job.state = declared.done[0]
    return JSONResponse(enveloped({}, values))
