"""Export jobs: asked for, waited for within bounds, and downloaded from where it is allowed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.loader import parse_system
from crm_assets.declarations.models.endpoint import ErrorHandler
from crm_assets.declarations.models.simple_auth import ApiKeyAuth
from crm_assets.extract.http import export_job
from crm_assets.extract.http.client import ApiClient, Traffic
from crm_assets.extract.http.credentials import Credentials
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets_tests.dialect.rows import read, records
from crm_assets_tests.dialect.small_api import Answer, Asked, SmallApi
from crm_assets_tests.dialect.test_configurations import connect

JOB = {"id_path": "job.id", "status_url": "/jobs/{job_id}", "done": ["Done"], "failed": "failed", "file_path": "url"}


class Exporting(SmallApi):
    """A server that makes a file of two records, which takes it as many questions as it is told."""

    def __init__(self, file: str | list[str], states: list[str], made: Any = "a/7") -> None:
        super().__init__({})
        self._file, self._states, self._made = file, states, made

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        match asked.method, asked.path:
            case "POST", "/exports":
                return 202, {}, {"job": {"id": self._made}}
            case "GET", "/jobs/a%2F7":
                state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
                return 200, {}, {"status": state, "url": self._file}
            case "GET", "/files/7":
                return 200, {}, [{"id": 1}, {"id": 2}]
            case "GET", "/files/8":
                return 200, {}, [{"id": 3}]
        return 404, {}, {}


def document(url: str, **job: Any) -> dict[str, Any]:
    endpoint = {"path": "/exports", "method": "POST", "json": {"list": "tickets"}, "paginator": "single_page"}
    return {
        "client": {"base_url": url, "auth": {"type": "bearer"}, "headers": {"X-Own": "1"}},
        "resources": [{"name": "tickets", "primary_key": "id", "endpoint": {**endpoint, "export_job": {**JOB, **job}}}],
    }


@pytest.fixture(autouse=True)
def _no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pauses take no time, and the clock show that they did."""
    now = [0.0]

    async def pause(_: Any, seconds: float, _why: str, _traffic: Any) -> None:
        now[0] += seconds

    monkeypatch.setattr(ApiClient, "pause", pause)
    monkeypatch.setattr(export_job.time, "monotonic", lambda: now[0])


def test_a_file_is_read_once_it_is_there(tmp_path: Path) -> None:
    with Exporting("/files/7?part=1", ["queued", "running", "done"]) as api:
        reading = read(connect(document(api.url)), {"token": "s3cret"}, tmp_path)["tickets"]
        assert records(reading) == [{"id": "1"}, {"id": "2"}]
        assert [asked.path for asked in api.asked] == ["/exports", *["/jobs/a%2F7"] * 3, "/files/7"]
        assert api.asked[0].body == {"list": "tickets"}
        assert api.asked[-1].body is None
        assert {asked.headers["Authorization"] for asked in api.asked} == {"Bearer s3cret"}


def test_all_files_of_a_job_are_read_once(tmp_path: Path) -> None:
    with Exporting(["/files/7", "/files/8"], ["done"]) as api:
        reading = read(connect(document(api.url)), {"token": "s3cret"}, tmp_path)["tickets"]
        assert records(reading) == [{"id": "1"}, {"id": "2"}, {"id": "3"}]
        assert [asked.path for asked in api.asked] == ["/exports", "/jobs/a%2F7", "/files/7", "/files/8"]
        assert (reading.report.complete, reading.report.reason) == (True, "last file")


def test_a_file_may_have_an_address_by_its_job(tmp_path: Path) -> None:
    with Exporting("", ["done"], made="a/7") as api:
        job = {"file_path": None, "file_url": "/jobs/{job_id}"}
        reading = read(connect(document(api.url, **job)), {"token": "s3cret"}, tmp_path)["tickets"]
        assert api.asked[-1].path == "/jobs/a%2F7"
        assert reading.report.requests == 3


@pytest.mark.parametrize(
    ("file", "states", "made", "problem"),
    [
        ("/files/7", ["failed"], "a/7", "the export job ended as 'failed'"),
        ("/files/7", ["queued"], "a/7", "the export job was still 'queued' after 60 s (max_wait)"),
        ("", ["done"], "a/7", "has no address of a file at 'url'"),
        ([], ["done"], "a/7", "has no address of a file at 'url'"),
        (["/files/7", ""], ["done"], "a/7", "has no address of a file at 'url'"),
        (["/files/7"] * 1001, ["done"], "a/7", "has no address of a file at 'url'"),
        (["/files/7", "/files/7"], ["done"], "a/7", "the export job names the same file twice"),
        (["/files/7", "/files/9"], ["done"], "a/7", "file 2 of 2: the server answered 404"),
        ("http://169.254.169.254/x", ["done"], "a/7", "is at http://169.254.169.254; if that is right, name the host"),
        ("https://evil.example/x", ["done"], "a/7", "is at https://evil.example; if that is right, name the host"),
        ("/files/7", ["done"], None, "the answer has no id of an export job at 'job.id'"),
        ("/files/7", ["done"], "..", "its address cannot be built"),
    ],
)
def test_a_job_that_leads_nowhere_is_an_error(
    file: str | list[str], states: list[str], made: Any, problem: str, tmp_path: Path
) -> None:
    with Exporting(file, states, made) as api:
        job = {"max_wait": 60, "file_hosts": ["files.example.com"]}
        reading = read(connect(document(api.url, **job)), {"token": "s3cret"}, tmp_path)["tickets"]
        assert reading.staged is None
        assert problem in reading.report.reason
        assert len(api.asked) < 20


def test_nothing_secret_goes_to_another_host() -> None:
    here = export_job.Exporter(
        export_job.ExportJob.model_validate({**JOB, "file_hosts": ["*.files.example"]}),
        "https://api.example.com",
        *[None] * 3,  # type: ignore[arg-type]
    )
    asked = export_job.Request("GET", "https://api.example.com/jobs/7", headers={"X-Own": "1"})
    file = here._at(asked, "https://eu.files.example/7?sig=x")
    assert (file.url, file.headers, file.anonymous) == ("https://eu.files.example/7?sig=x", {}, True)
    assert not here._at(asked, "/files/7").anonymous


def test_an_anonymous_request_has_no_credentials(tmp_path: Path) -> None:
    auth = ApiKeyAuth(type="api_key", name="key", api_key="key", location="query")

    async def asked_for(url: str) -> None:
        budget = RateLimiter(tmp_path / "budget", None)
        async with ApiClient(Credentials(auth, {"key": "s3cret"}, url), budget, 1, {"X-Own": "s3cret"}) as client:
            for anonymous in (True, False):
                request = export_job.Request("GET", f"{url}/files/7", anonymous=anonymous)
                await client.send(request, ErrorHandler(), Traffic())

    with Exporting("", []) as api:
        asyncio.run(asked_for(api.url))
    shown = [str((asked.query, asked.headers)).count("s3cret") for asked in api.asked]
    assert shown == [0, 2]


@pytest.mark.parametrize(
    ("job", "problem"),
    [
        ({"status_url": "/jobs"}, "status_url must contain {job_id}"),
        ({"file_url": "/x"}, "give file_path or file_url"),
        ({"file_hosts": ["https://x"]}, "expected the name of a host"),
    ],
)
def test_a_job_that_cannot_be_followed_is_refused(job: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError) as error:
        parse_system({"name": "api", **document("https://api.example.com", **job)})
    assert problem in str(error.value)
