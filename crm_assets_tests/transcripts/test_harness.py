"""The harness itself: what a transcript does not say, or says otherwise, fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from crm_assets_tests.transcripts.harness import play
from crm_assets_tests.transcripts.transcript import Transcript

Document = dict[str, Any]


def _document() -> Document:
    asked = {"method": "GET", "path": "/api/v1/campaigns", "headers": {"X-API-KEY": "uk_1234"}}
    campaigns = [{"id": 1, "name": "Autumn", "created_at": "2026-05-16T17:30:38.149Z", "stats": {"total_sent": 1}}]
    return {
        "system": "sales_engagement",
        "resource": "campaigns",
        "secrets": {"api_key": "uk_1234"},
        "exchanges": [{"request": asked, "answer": {"json": {"data": {"campaigns": campaigns}}}}],
        "rows": [
            {"id": 1, "name": "Autumn", "created_at": "2026-05-16T19:30:38.149+02:00", "stats": {"total_sent": 1}}
        ],
    }


def test_a_true_transcript_passes(tmp_path: Path) -> None:
    play(Transcript.model_validate(_document()), tmp_path)


def _set(*path: Any, value: Any) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        here: Any = document
        for step in path[:-1]:
            here = here[step]
        here[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_set("rows", 0, "name", value="autumn"), "autumn"),
        (_set("rows", 0, "id", value="1"), "'1'"),
        (_set("rows", 0, "created_at", value="2026-05-16T17:30:38.150Z"), "150000"),
        (_set("rows", 0, "stats", "total_sent", value=2), "total_sent"),
        (_set("rows", value=[]), "Autumn"),
        (_set("proof", value={"pages": 2}), "pages"),
        (_set("rejected", value=["the primary key"]), "nothing of"),
        (_set("skipped", value=["402"]), "nothing of"),
        (_set("exchanges", 0, "request", "headers", "X-API-KEY", value="uk_9999"), "uk_9999"),
        (_set("exchanges", 0, "request", "query", value={"page": "1"}), "query is {} instead of"),
        (_set("exchanges", 0, "request", "method", value="POST"), "method is 'GET'"),
        (_set("exchanges", 0, "request", "json", value={}), "json is None"),
        (_set("exchanges", 0, "request", "path", value="/campaigns"), "path is '/api/v1/campaigns'"),
        (_set("exchanges", 0, "answer", "status", value=404), "404"),
    ],
)
def test_a_false_one_fails(change: Callable[[Document], None], complaint: str, tmp_path: Path) -> None:
    document = _document()
    change(document)
    with pytest.raises(AssertionError) as failure:
        play(Transcript.model_validate(document), tmp_path)
    assert complaint in str(failure.value)


def test_a_request_that_must_be_made_and_is_not_fails(tmp_path: Path) -> None:
    document = _document()
    document["exchanges"] *= 2
    with pytest.raises(AssertionError, match="never asked for"):
        play(Transcript.model_validate(document), tmp_path)
    document["exchanges"][1] = {**document["exchanges"][1], "optional": True}
    (tmp_path / "again").mkdir()
    play(Transcript.model_validate(document), tmp_path / "again")


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="row"):
        Transcript.model_validate({**_document(), "row": []})
