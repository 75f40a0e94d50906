"""Floor C: orjson, one Python dict per record, Arrow, DuckDB."""

import duckdb
import orjson
import pages_of
import pyarrow as pa

if __name__ == "__main__":
    records = []
    pages_of.run(lambda page, body: records.extend(orjson.loads(body)["records"]))
    rows = pa.Table.from_pylist(records)
    duckdb.connect("warehouse.duckdb").execute("CREATE TABLE records AS SELECT * FROM rows")
