"""Lists that a manifest has made as a file: its three requesters as one request and an export job."""

from __future__ import annotations

import re

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.airbyte.expressions import Named, NoCounterpartError, named, parts, value_of
from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.models.export_job import JOB


def as_simple(retriever: Document) -> tuple[Document, Document]:
    """Return a retriever as one that sends its first request alone, and the export job that request makes.

    Raises:
        NoCounterpartError: It is made or downloaded in another way.
    """
    if retriever.get("type") != "AsyncRetriever":
        return retriever, {}
    polling, targets = retriever.get("polling_requester") or {}, retriever.get("download_target_extractor") or {}
    target = named((retriever.get("download_requester") or {}).get("url_base"))
    if not isinstance(target, Named) or target.root != "download_target" or not targets.get("field_path"):
        raise NoCounterpartError("a file whose address is computed has no counterpart")
    status_url, id_path = _status(f"{str(polling.get('url_base')).rstrip('/')}/{str(polling.get('path')).lstrip('/')}")
    states = retriever.get("status_mapping") or {}
    job = {
        "id_path": id_path,
        "status_url": status_url,
        "status_path": path_text(tuple(map(str, (retriever.get("status_extractor") or {}).get("field_path") or ()))),
        "done": list(states.get("completed") or ()),
        "failed": [*(states.get("failed") or ()), *(states.get("timeout") or ())],
        "file_path": path_text(tuple(map(str, targets["field_path"]))),
    }
    simple = {key: value for key, value in retriever.items() if key != "paginator"}
    decoder = retriever.get("download_decoder") or retriever.get("decoder")
    return {
        **simple,
        "type": "SimpleRetriever",
        "requester": retriever.get("creation_requester"),
        "decoder": decoder,
    }, job


def _status(url: str) -> tuple[str, str]:
    """Return the address that says how far a job is, and where the answer that made it has its id."""
    found = [value_of(part) for part in parts(url) if not isinstance(part, str)]
    (job,) = found if len(found) == 1 else (None,)
    if not isinstance(job, Named) or job.root != "creation_response" or not job.path:
        raise NoCounterpartError("an export job that is requested by anything but its id has no counterpart")
    return re.sub(r"\{\{.*?\}\}", f"{{{JOB}}}", url, flags=re.DOTALL), path_text(job.path)
