"""Floor B: every page into a file, then DuckDB's ``read_json`` into a table."""

from pathlib import Path

import duckdb
import pages_of

if __name__ == "__main__":
    folder = Path("pages")
    folder.mkdir()
    pages_of.run(lambda page, body: (folder / f"{page}.json").write_bytes(body))
    duckdb.connect("warehouse.duckdb").execute(
        "CREATE TABLE records AS SELECT unnest(record) FROM ("
        "  SELECT unnest(records) AS record FROM read_json('pages/*.json', maximum_object_size=268435456))"
    )
