"""The connection to a destination: opened with one sentence for what keeps it from being opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from crm_assets.warehouse.capabilities import Capabilities
from crm_assets.warehouse.errors import WarehouseError, cause_of

if TYPE_CHECKING:
    from dlt import Schema
    from dlt.common.destination import Destination
    from dlt.destinations.sql_client import SqlClientBase


@contextmanager
def connected(destination: Destination[Any, Any], name: str, dataset: str) -> Iterator[SqlClientBase[Any]]:
    """Open a destination for SQL.

    Args:
        destination: The destination.
        name: Its name.
        dataset: The schema that unqualified names are of.

    Raises:
        WarehouseError: It is not configured, does not answer, or cannot hold what a load needs.
    """
    import dlt

    refusal = Capabilities.of(name, destination.capabilities()).refusal
    if refusal:
        raise WarehouseError(f"The destination {name} cannot be a warehouse: {refusal}.")
    with ExitStack() as stack:
        try:
            client = cast("Any", dlt.dataset(destination, dataset, _schema(dataset)).sql_client)
            _refuse_single_catalog(client.credentials)
            stack.enter_context(client)
        except WarehouseError:
            raise
        except Exception as error:  # each destination's driver raises classes of its own
            raise WarehouseError(_unopened(name, error)) from error
        yield client


@cache
def _schema(name: str) -> Schema:
    """Return dlt's schema of this name, without tables; dlt takes 4 ms to make one."""
    import dlt

    return dlt.Schema(name)


def destination_named(name: str) -> Destination[Any, Any]:
    """Return one of dlt's destinations.

    Raises:
        WarehouseError: There is none of this name.
    """
    import dlt
    from dlt.common.exceptions import DltException

    try:
        return dlt.destination(name)
    except DltException as error:
        raise WarehouseError(
            f"CRM_ASSETS_DESTINATION is {name!r}, and dlt has no destination of this name. Common ones are duckdb, "
            f"postgres, snowflake, bigquery and redshift."
        ) from error


def _refuse_single_catalog(credentials: Any) -> None:
    """Refuse a lake with its catalog in a DuckDB file, which takes one connection: a load has two, ours and dlt's.

    Raises:
        WarehouseError: It is such a lake.
    """
    catalog = getattr(credentials, "catalog", None)
    if catalog is not None and catalog.drivername == "duckdb":
        raise WarehouseError(
            "The lake's catalog is a DuckDB file, which takes one connection at a time, and a load needs two. Set "
            "DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG to sqlite:////folder/catalog.sqlite or to a "
            "postgresql://user:password@host:5432/database; nothing was changed."
        )


def _unopened(destination: str, error: Exception) -> str:
    variable = f"DESTINATION__{destination.upper()}__CREDENTIALS"
    match destination:
        case "postgres":
            settings, reached = f"{variable}=postgresql://user:password@host:5432/database", "the server can be reached"
        case "ducklake":
            settings = f"{variable}__CATALOG and {variable}__STORAGE__BUCKET_URL"
            reached = "DuckDB has its extension ducklake and that of the catalog"
        case _:
            settings, reached = variable, "the server can be reached"
    # dlt says more of what may be wrong than of what is
    cause = cause_of(getattr(error, "inner_exc", error)).replace("`", "")
    return (
        f"The destination {destination} cannot be opened: {cause}. Check {settings} (or the same in "
        f".dlt/secrets.toml) and that {reached}; nothing was changed."
    )
