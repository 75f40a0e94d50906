"""Floor D: pages streamed as text through DuckDB's ``from_json`` in one statement, no loader."""

import threading
from queue import Queue

import duckdb
import pages_of
import pyarrow as pa

BATCH_BYTES = 1_000_000


def batches(pages):
    """Yield Arrow batches of about 1 MB of page texts."""
    texts, size = [], 0
    while (body := pages.get()) is not None:
        texts.append(body)
        size += len(body)
        if size >= BATCH_BYTES:
            yield pa.record_batch([pa.array(texts, pa.string())], ["page"])
            texts, size = [], 0
    if texts:
        yield pa.record_batch([pa.array(texts, pa.string())], ["page"])


def fetch(pages):
    """Put every page's bytes into the queue, and ``None`` after the last."""
    pages_of.run(lambda page, body: pages.put(body))
    pages.put(None)


if __name__ == "__main__":
    queue = Queue()
    thread = threading.Thread(target=fetch, args=(queue,))
    thread.start()
    reader = pa.RecordBatchReader.from_batches(pa.schema([("page", pa.string())]), batches(queue))
    schema = '{"records": ["' + pages_of.STRUCT + '"]}'
    duckdb.connect("warehouse.duckdb").execute(
        "CREATE TABLE records AS SELECT unnest(record) FROM ("
        f"  SELECT unnest(from_json(page, '{schema}').records) AS record FROM reader)"
    )
    thread.join()
