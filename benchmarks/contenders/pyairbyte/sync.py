"""PyAirbyte: the declarative source in this process, merged into a DuckDB cache."""

import os
from pathlib import Path

import yaml

os.environ.setdefault("AIRBYTE_OFFLINE_MODE", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")

import airbyte as ab
from airbyte.caches import DuckDBCache
from airbyte.strategies import WriteStrategy

JSON_TYPES = {"text": "string", "bigint": "integer", "double": "number", "bool": "boolean"}
CURSOR = {
    "type": "DatetimeBasedCursor",
    "cursor_field": "updated_at",
    "cursor_datetime_formats": ["%Y-%m-%dT%H:%M:%SZ"],
    "datetime_format": "%Y-%m-%dT%H:%M:%SZ",
    "start_datetime": "2019-01-01T00:00:00Z",
    "start_time_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "updated_since"},
}


def json_type(name, columns):
    """Return the JSON schema of one column."""
    kind = columns[name]
    if kind == "timestamp":
        return {"type": ["null", "string"], "format": "date-time", "airbyte_type": "timestamp_with_timezone"}
    if kind == "json":
        return {"type": ["null", "array" if name == "items" else "object"]}
    return {"type": ["null", JSON_TYPES[kind]]}


def manifest(columns, incremental):
    """Return the declarative manifest with its schema, and with a cursor if asked for."""
    document = yaml.safe_load((Path(__file__).parent / "manifest.yaml").read_text())
    stream = document["definitions"]["records"]
    stream["schema_loader"]["schema"]["properties"] = {name: json_type(name, columns) for name in columns}
    if incremental:
        stream["incremental_sync"] = CURSOR
    return document


if __name__ == "__main__":
    import json

    source = ab.get_source(
        "source-bench",
        source_manifest=manifest(json.loads(os.environ["BENCH_COLUMNS"]), os.environ["BENCH_MODE"] == "cursor"),
        config={"base_url": os.environ["BENCH_URL"], "per_page": int(os.environ["BENCH_PER_PAGE"])},
        streams=["records"],
    )
    cache = DuckDBCache(db_path="warehouse.duckdb", schema_name="bench")
    source.read(cache=cache, write_strategy=WriteStrategy.MERGE, force_full_refresh=False)
