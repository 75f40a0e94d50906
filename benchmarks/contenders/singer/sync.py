"""Singer: tap-rest-api-msdk | target-duckdb, each in its own environment, connected by a pipe."""

import json
import os
import subprocess
from pathlib import Path

VENVS = Path(__file__).parents[2] / ".venvs"
JSON_TYPES = {"bigint": "integer", "double": "number", "bool": "boolean"}


def schema(kind):
    """Return the JSON schema of one column; nested values travel as text (``except_keys``)."""
    if kind == "timestamp":
        return {"type": ["null", "string"], "format": "date-time"}
    return {"type": ["null", JSON_TYPES.get(kind, "string")]}


def tap(columns):
    """Return the tap's configuration."""
    stream = {
        "name": "records",
        "path": "/records",
        "primary_keys": ["id"],
        "records_path": "$.records[*]",
        "params": {"per_page": os.environ["BENCH_PER_PAGE"]},
        "except_keys": [name for name, kind in columns.items() if kind == "json"],
        "schema": {"type": "object", "properties": {name: schema(kind) for name, kind in columns.items()}},
    }
    return {
        "api_url": os.environ["BENCH_URL"],
        "pagination_request_style": "jsonpath_paginator",
        "pagination_response_style": "page",
        "pagination_next_page_param": "page",
        "next_page_token_path": "$.meta.next_page",
        "streams": [stream],
    }


if __name__ == "__main__":
    Path("tap.json").write_text(json.dumps(tap(json.loads(os.environ["BENCH_COLUMNS"]))))
    Path("target.json").write_text(json.dumps({"path": "warehouse.duckdb", "default_target_schema": "bench"}))
    reader = subprocess.Popen([VENVS / "singer_tap/bin/tap-rest-api-msdk", "--config", "tap.json"], stdout=subprocess.PIPE)
    writer = subprocess.run([VENVS / "singer_target/bin/target-duckdb", "--config", "target.json"], stdin=reader.stdout)
    raise SystemExit(reader.wait() or writer.returncode)
