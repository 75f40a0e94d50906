"""What breaks in the warehouse, said in one sentence."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from crm_assets.errors import CrmAssetsError


class WarehouseError(CrmAssetsError):
    """The warehouse cannot be opened or written; what it held is as it was."""


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn what breaks underneath, however deep the libraries have wrapped it, into one sentence."""
    import duckdb
    from dlt.common.exceptions import DltException

    try:
        yield
    except (DltException, duckdb.Error, OSError) as error:
        root = _root(error)
        strerror = root.strerror if isinstance(root, OSError) else None
        said = strerror or (str(root).strip().splitlines() or [type(root).__name__])[0]
        raise WarehouseError(
            f"The warehouse could not be written: {said[:300].rstrip('.')}. "
            f"Every table holds its last whole read; mend that and run again."
        ) from error


def _root(error: BaseException) -> BaseException:
    """Return what began it; where the disk is full, that."""
    chain = [error]
    while following := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(following)
    full = [one for one in chain if isinstance(one, OSError) and one.errno in (errno.ENOSPC, errno.EDQUOT)]
    causes = [one for one in chain[:-1] if one.__cause__ is None]
    return full[0] if full else causes[0] if causes else chain[-1]
