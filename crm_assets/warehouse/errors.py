"""Failures of the warehouse, each as one sentence."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from crm_assets.errors import CrmAssetsError
from crm_assets.extract.decode.duckdb_types import literal, quoted
from crm_assets.warehouse.dlt_schema import dlt_columns

if TYPE_CHECKING:
    from crm_assets.extract.fetch import ReadResult

_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]+@")
_ATTACHING = re.compile(r'^.*? at path \+ "[^"]*"')
"""What DuckLake says before the reason for which it cannot open its catalog; the catalog's URL is in it."""


class WarehouseError(CrmAssetsError):
    """The warehouse cannot be opened or written; the sentence says what became of the tables."""


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn what breaks underneath, however deep the libraries have wrapped it, into one sentence."""
    import duckdb
    from dlt.common.exceptions import DltException

    try:
        yield
    except (DltException, duckdb.Error, OSError) as error:
        raise WarehouseError(
            f"The warehouse could not be written: {cause_of(error)}. Each table has the rows it had, or all of the new "
            f"ones; fix the cause and run again."
        ) from error


def cause_of(error: BaseException) -> str:
    """Return the root cause as one line, in the words of the library that raised it, without values or passwords."""
    root = _root(error)
    strerror = root.strerror if isinstance(root, OSError) else None
    lines = str(root).strip().splitlines() or [type(root).__name__]
    # a DuckLake that cannot commit gives the reason in a second line
    said = lines[-1] if lines[0].endswith("Failed to commit DuckLake transaction.") else lines[0]
    return _PASSWORD.sub(r"\1***@", _ATTACHING.sub("", strerror or said))[:300].rstrip(".")


def first_null(reading: ReadResult) -> str | None:
    """Say which required column of a read holds no value, and in which record first; ``None`` where all do."""
    import duckdb

    key, staged = reading.task.resource.primary_key, reading.staged
    if staged is None:
        return None
    source, keys = f"read_parquet({literal(str(staged.path))})", ", ".join(map(quoted, key)) or "1"
    for name, hints in dlt_columns(reading.task.resource).items():
        if not hints["nullable"]:
            query = f"SELECT {keys} FROM {source} WHERE {quoted(name)} IS NULL LIMIT 1"
            rows = duckdb.execute(query).fetchall()
            for row in rows:
                record = ", ".join(f"{part} {value}" for part, value in zip(key, row, strict=False))
                place = f"the record with {record}" if key else "a record"
                return f"the column {name} is declared nullable: false and has no value in {place}"
    return None


def _root(error: BaseException) -> BaseException:
    """Return the root cause; a full disk comes before all others."""
    chain = [error]
    while following := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(following)
    full = [cause for cause in chain if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)]
    causes = [cause for cause in chain[:-1] if cause.__cause__ is None]
    return full[0] if full else causes[0] if causes else chain[-1]
