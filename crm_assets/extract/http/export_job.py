"""Export jobs: ask for files, wait for them within bounds, and say where they are."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.models.base import fill_url
from crm_assets.declarations.models.endpoint import ErrorHandler, ResponseAction
from crm_assets.declarations.models.export_job import JOB, ExportJob
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.client import ApiClient, Traffic
from crm_assets.extract.http.credentials import origin, resolve_url
from crm_assets.extract.http.request import Request
from crm_assets.extract.http.response_actions import value_at

_UNDER_WAY = tuple(ResponseAction(status_code=status, action="read") for status in (201, 202))
"""A job that was made, or is worked at, is answered so."""
_LONGEST_ID = 200
"""Characters of a job's id; what is longer is not one."""
_MOST_FILES = 1000
"""Files of one job; an answer that names more is not an answer about an export."""


@dataclass(frozen=True)
class Exporter:
    """Runs the export jobs of one list.

    Args:
        job: The declaration.
        base_url: The connection's address.
        client: Sends the requests.
        handler: What is tried again.
        traffic: Counts what the requests cost.
    """

    job: ExportJob
    base_url: str
    client: ApiClient
    handler: ErrorHandler
    traffic: Traffic

    async def files(self, request: Request) -> list[Request]:
        """Return the requests of the files that a request asks for, once they are there; at least one.

        Args:
            request: Asks for the files.

        Raises:
            ReadError: The job failed, did not end in time, or its answers are not as declared.
        """
        request = replace(request, actions=(*request.actions, *_UNDER_WAY))
        made = await self.client.send(request, self.handler, self.traffic)
        job_id = value_at(made.body, self.job.id_path)
        if not isinstance(job_id, (str, int)) or isinstance(job_id, bool) or not 0 < len(str(job_id)) <= _LONGEST_ID:
            raise ReadError(f"the answer has no id of an export job at {path_text(self.job.id_path)!r}")
        status = replace(request, method="GET", url=self._below(self.job.status_url, job_id), params={}, json=None)
        answer = await self._done(status)
        if self.job.file_url is not None:
            return [replace(status, url=self._below(self.job.file_url, job_id), file=True)]
        return self._named(status, value_at(answer, self.job.file_path or ()))

    async def _done(self, status: Request) -> bytes:
        """Ask until the job is done, and return the last answer."""
        until = time.monotonic() + self.job.max_wait
        while True:
            answer = await self.client.send(status, self.handler, self.traffic)
            state = str(value_at(answer.body, self.job.status_path)).lower()
            if state in self.job.done:
                return answer.body
            if state in self.job.failed:
                raise ReadError(f"the export job ended as {state[:80]!r}")
            if time.monotonic() + self.job.interval > until:
                raise ReadError(f"the export job was still {state[:80]!r} after {self.job.max_wait:g} s (max_wait)")
            await self.client.pause(self.job.interval, f"the export job is {state[:80]!r}", self.traffic)

    def _below(self, path: str, job_id: Any) -> str:
        try:
            return f"{self.base_url.rstrip('/')}/{fill_url(path, {JOB: job_id}).lstrip('/')}"
        except ValueError as error:
            raise ReadError(f"its address cannot be built: {error}") from error

    def _named(self, status: Request, named: Any) -> list[Request]:
        """Return the requests of the files that an answer names: one address, or a list of them."""
        places = named if isinstance(named, list) else [named]
        if not 0 < len(places) <= _MOST_FILES or not all(place and isinstance(place, str) for place in places):
            at = path_text(self.job.file_path or ())
            raise ReadError(f"the export job is done, and its answer has no address of a file at {at!r}")
        files = [self._at(replace(status, file=True), place) for place in places]
        if len({file.url for file in files}) < len(files):
            raise ReadError("the export job names the same file twice")
        return files

    def _at(self, status: Request, place: str) -> Request:
        """Return the request of a file at an address that the server chose: at home, or at a declared host."""
        url = resolve_url(status.url, place)
        if origin(url) == origin(self.base_url):
            return replace(status, url=url)
        host = (urlsplit(url).hostname or "").lower()
        if urlsplit(url).scheme != "https" or not any(_host_matches(host, allowed) for allowed in self.job.file_hosts):
            raise ReadError(
                f"the file of the export job is at {urlsplit(url).scheme}://{host}; if that is right, name the host "
                f"under file_hosts"
            )
        return replace(status, url=url, headers={}, auth=None, anonymous=True)


def _host_matches(host: str, allowed: str) -> bool:
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed
