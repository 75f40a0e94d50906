"""The page server's answers, rendered before they are asked for: to serve one costs no more than to send it."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Sequence
from itertools import pairwise

from record import Renderer

_REASONS = {200: b"OK", 429: b"Too Many Requests"}
_RENDERER = Renderer()


class Shelf:
    """All pages of a list, in a file that the operating system keeps in memory as it sees fit.

    Args:
        rows: Records of the list.
        size: Records of a page.
        changed: Percent of the rows that have changed.
    """

    def __init__(self, rows: int, size: int, changed: float) -> None:
        ends = [0]
        with tempfile.TemporaryFile() as file:
            for page in range(1, max(-(-rows // size), 1) + 1):
                ends.append(ends[-1] + file.write(page_answer(range(1, rows + 1), page, size, changed)))
            file.flush()
            self._answers = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        self._bounds = dict(enumerate(pairwise(ends), 1))

    def answer(self, page: int) -> memoryview | None:
        """Return the answer for a page, or ``None`` past the end."""
        start, end = self._bounds.get(page, (0, 0))
        return self._answers[start:end] if end else None


def page_answer(rows: Sequence[int], page: int, size: int, changed: float) -> bytes:
    """Return the whole answer for a page of some rows."""
    pages = -(-len(rows) // size)
    following = b"%d" % (page + 1) if page < pages else b"null"
    meta = b'"page":%d,"next_page":%s,"total_pages":%d,"total_records":%d' % (page, following, pages, len(rows))
    records = _RENDERER.records(rows[(page - 1) * size : page * size], changed)
    return http_answer(200, b'{"meta":{%s},"records":%s}' % (meta, records))


def http_answer(status: int, body: bytes, headers: bytes = b"") -> bytes:
    """Return a JSON body as a whole HTTP answer."""
    head = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n"
    return head % (status, _REASONS[status], headers, len(body)) + body
