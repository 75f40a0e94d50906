"""Doctor: a few requests per resource, and what a sync would stumble over in words.

A server says what it refused, seldom why. The reason shows when the answers are laid side by side: a key that is
refused for a single list lacks a permission; one that is refused everywhere is wrong, or is sent in the wrong way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crm_assets.date_range import DateRange
from crm_assets.declarations.models.connection import SHARED_SCHEMA, Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.errors import ReadError
from crm_assets.extract.first_page import PAGE_TIMEOUT, FirstPage, last_days, parents_of
from crm_assets.extract.list_probe import ListProber, probing_lists
from crm_assets.extract.secrets import missing_secrets, secret_variable, secrets_of
from crm_assets.extract.shared_state import SharedState
from crm_assets.warehouse.errors import WarehouseError
from crm_assets.warehouse.warehouse import Warehouse

ListState = Literal["ok", "doubt", "problem", "not asked"]


@dataclass(frozen=True)
class ListFinding:
    """What the first pages of one resource showed."""

    resource: str
    state: ListState
    sentence: str
    status: int | None = None
    """HTTP status of the answer; ``None`` where none came."""
    seconds: float = 0.0
    came: bool = False
    """Whether a page of the list came, whatever is wrong with it."""


@dataclass(frozen=True)
class Diagnosis:
    """How a connection is, or the warehouse."""

    connection: str
    problems: tuple[str, ...] = ()
    """What keeps the whole connection from being asked."""
    findings: tuple[ListFinding, ...] = ()
    """One per resource; none where nothing was asked."""
    advice: tuple[str, ...] = ()
    """What the findings mean, laid side by side, and what to do."""

    @property
    def healthy(self) -> bool:
        """Whether everything that was asked for came."""
        return not self.problems and all(finding.state != "problem" for finding in self.findings)


def warehouse_problems(warehouse: Warehouse) -> list[Diagnosis]:
    """Return why the warehouse cannot be opened, if it cannot; a DuckDB file that is missing is made by the first sync.

    Args:
        warehouse: Opened in a schema that no run loads into, so that runs are waited for in a DuckDB file alone.
    """
    try:
        with warehouse.working_folder() as folder:
            if warehouse.exists:
                with warehouse.session(SHARED_SCHEMA, folder, print):
                    pass
    except WarehouseError as error:
        return [Diagnosis("warehouse", problems=(str(error),))]
    return []


def examine(connections: Iterable[Connection], state: SharedState, patience: float = PAGE_TIMEOUT) -> list[Diagnosis]:
    """Ask every resource of the connections for its first pages, side by side.

    Nothing is loaded. Children are asked for their first parent, windows for today.

    Args:
        connections: The accounts.
        state: Has the account's rate and tokens.
        patience: Seconds to wait for an answer.
    """

    async def all_of_them() -> list[Diagnosis]:
        return list(await asyncio.gather(*(_examined(connection, state, patience) for connection in connections)))

    return asyncio.run(all_of_them())


async def _examined(connection: Connection, state: SharedState, patience: float) -> Diagnosis:
    unusable = connection.unusable()
    problems = [*([unusable] if unusable else []), *missing_secrets(connection)]
    if problems:
        return Diagnosis(connection.name, problems=tuple(problems))
    resources = connection.system.resources
    async with probing_lists(connection, secrets_of(connection), state, patience) as probe:
        findings = await asyncio.gather(*(_list_finding(probe, connection, resource) for resource in resources))
    return Diagnosis(connection.name, findings=tuple(findings), advice=tuple(_advice(connection, list(findings))))


async def _list_finding(probe: ListProber, connection: Connection, resource: Resource) -> ListFinding:
    try:
        lists = await probe.lists(resource)
    except ReadError:
        return _not_asked(resource, "could not be read")
    if not lists:
        return _not_asked(resource, "has no rows")
    unbounded = resource.window is None or resource.name in parents_of(connection.system.resources)
    dates = None if unbounded else last_days(connection, 1)
    started = time.perf_counter()
    try:
        page = await (probe.whole(resource) if unbounded else probe.ask(resource, lists[0], dates))
    except ReadError as error:
        seconds = round(time.perf_counter() - started, 3)
        sentence = error.problem[:1].upper() + error.problem[1:]
        return ListFinding(resource.name, "problem", sentence, error.status, seconds)
    return ListFinding(
        resource.name, _list_state(page), _finding_sentence(resource, page, dates), 200, page.seconds, came=True
    )


def _list_state(page: FirstPage) -> ListState:
    return "problem" if page.problems else "doubt" if page.doubts or page.rejected else "ok"


def _not_asked(resource: Resource, why: str) -> ListFinding:
    parent = resource.parent.resource if resource.parent else ""
    return ListFinding(resource.name, "not asked", f"It is read for the rows of {parent}, which {why}")


def _finding_sentence(resource: Resource, page: FirstPage, dates: DateRange | None) -> str:
    count = f"{len(page.rows)} of {page.total:,}" if page.rows and page.total else str(len(page.rows) or "No")
    parts = [f"{count} record{'' if count == '1' else 's'}{f' on {dates}' if dates else ''}"]
    parts += [*page.problems, *page.doubts]
    if undeclared := page.fields("_extra"):
        what = "fields that become columns" if resource.undeclared_fields == "columns" else "undeclared fields"
        parts.append(f"{what}: {', '.join(undeclared)}")
    if page.absent:
        parts.append(f"declared, but in none of them: {', '.join(page.absent)}")
    if page.rejected:
        parts.append(f"{len(page.rejected)} rejected: {page.rejected[0]}")
    return "; ".join(parts)


def _advice(connection: Connection, findings: list[ListFinding]) -> Iterator[str]:
    problems = [finding for finding in findings if finding.state == "problem"]
    if problems and not any(finding.came for finding in findings):
        yield _of_all(connection, {finding.status for finding in problems})
        return
    if names := _resources_with(problems, {401, 403}):
        yield (
            f"The key works for other resources. Grant it access to {names} in the settings of "
            f"{connection.system.title}, or choose the others with `resources:` in the connections file."
        )
    if names := _resources_with(problems, {402}):
        yield (
            f"The subscription does not include {names}: extend it, or choose the others with `resources:` in the "
            f"connections file."
        )
    if names := _resources_with(problems, {404}):
        yield f"Other lists were found at this address: the account may not have {names}, or the path has changed."
    if names := _resources_with(problems, {200}):
        yield f"What the server sends does not match the declaration of {names} in {Path(connection.system.path).name}."
    if names := _resources_with(problems, {429}):
        yield f"{names} reached the vendor's rate limit: set `rate_limit:` for the connection, then try again."


def _of_all(connection: Connection, statuses: set[int | None]) -> str:
    declared = connection.system.params
    given = {name: value for name, value in connection.params.items() if value != declared[name].default}
    and_params = f", and params ({', '.join(f'{name}: {value}' for name, value in given.items())})" if given else ""
    variables = " and ".join(secret_variable(connection, name) for name in connection.system.secrets)
    if statuses <= {None}:
        start = "start the sandbox with `crm-assets sandbox`, or " if connection.on_this_machine else ""
        return (
            f"Nothing answers at {connection.base_url}: {start}check base_url{and_params}, the network and any proxy."
        )
    if statuses <= {429}:
        return "The vendor's rate limit is reached: set `rate_limit:` for the connection, then try again."
    if statuses <= {402}:
        return "The subscription does not include the API: ask the vendor which plan does."
    if statuses <= {200, 404}:
        return f"No list was found at {connection.base_url}: check base_url{and_params}."
    if statuses <= {400, 401, 403, 422}:
        how = connection.system.client.auth.type
        return (
            f"Every list was refused: either {variables} is wrong, or the API expects it in another way than "
            f"client.auth declares ({how}). Check both{and_params}."
        )
    return f"No list was read: check base_url ({connection.base_url}), {variables}{and_params}."


def _resources_with(problems: Iterable[ListFinding], statuses: set[int]) -> str:
    return ", ".join(finding.resource for finding in problems if finding.status in statuses)
