"""List sizes: what the first pages of lists that were never read report about their length."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.errors import ReadError
from crm_assets.extract.first_page import PAGE_TIMEOUT, FirstPageReader, parents_of, probing
from crm_assets.extract.secrets import secrets_of
from crm_assets.extract.shared_state import SharedState

_FULL_PAGE = 1_000_000
"""Records to ask for: more than any declared page size, so that the page is as long as a sync's."""


@dataclass(frozen=True)
class ListSize:
    """What the first page of a list reported."""

    records: int | None = None
    pages: int | None = None
    """At the declared page size; ``None`` where neither pages nor records are reported."""
    seconds: float = 0.0
    """How long the page took."""
    problem: str | None = None
    """Why the list could not be read."""


def list_sizes(
    connection: Connection, resources: Iterable[Resource], state: SharedState, patience: float = PAGE_TIMEOUT
) -> dict[str, ListSize]:
    """Request the first page of each list that is read as a whole, side by side, and return their sizes by name.

    Lists of parents and windows are left out: their number follows from their parents' size and the days to read.

    Args:
        connection: The account.
        resources: What is to be read, with the parents.
        state: Has the account's rate and tokens.
        patience: Seconds to wait for a page.

    Raises:
        ReadError: The connection cannot be used, for a reason that no request is needed for.
    """
    if problem := connection.unusable():
        raise ReadError(f"{connection.name}: {problem}")
    parents = parents_of(connection.system.resources)
    whole = [one for one in resources if not one.parent and (not one.window or one.name in parents)]

    async def sizes() -> list[ListSize]:
        async with probing(connection, secrets_of(connection), state, _FULL_PAGE, patience) as probe:
            return list(await asyncio.gather(*(_list_size(probe, resource) for resource in whole)))

    return dict(zip((resource.name for resource in whole), asyncio.run(sizes()), strict=True))


async def _list_size(probe: FirstPageReader, resource: Resource) -> ListSize:
    try:
        page = await probe.whole(resource)
    except ReadError as error:
        return ListSize(problem=error.problem)
    return ListSize(page.total, page.pages, page.seconds)
