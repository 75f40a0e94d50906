"""Every resource of every system and vendor profile, played from its transcripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_assets.declarations import available_systems, load_system
from crm_assets.declarations.models.simple_auth import ApiKeyAuth
from crm_assets_tests.transcripts.harness import play
from crm_assets_tests.transcripts.transcript import FOLDER, load_transcript, transcript_files

_NAMES = [path.relative_to(FOLDER).with_suffix("").as_posix() for path in transcript_files()]


@pytest.fixture(autouse=True)
def _own_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections keep the base_url of their declaration."""
    monkeypatch.delenv("CRM_ASSETS_SANDBOX", raising=False)


@pytest.mark.parametrize("name", _NAMES)
def test_the_transcript_is_followed(name: str, tmp_path: Path) -> None:
    play(load_transcript(FOLDER / f"{name}.yaml"), tmp_path)


@pytest.mark.parametrize("name", _NAMES)
def test_the_transcript_shows_the_credentials(name: str) -> None:
    transcript = load_transcript(FOLDER / f"{name}.yaml")
    auth = load_system(transcript.system).client.auth
    place = auth.name if isinstance(auth, ApiKeyAuth) else "Authorization"
    assert any(place in {**exchange.request.headers, **exchange.request.query} for exchange in transcript.exchanges), (
        f"no request of the transcript says what {place} must be"
    )


@pytest.mark.parametrize("system", sorted(available_systems()))
def test_every_resource_has_a_transcript_that_ends_well(system: str) -> None:
    told = {
        transcript.resource
        for transcript in map(load_transcript, (FOLDER / system).glob("*.yaml"))
        if transcript.rows and transcript.complete
    }
    assert {resource.name for resource in load_system(system).resources} == told
