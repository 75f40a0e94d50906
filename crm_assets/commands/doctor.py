"""Doctor: one small request per resource, and what is wrong in words.

A server says what it refused, seldom why. The reason shows when the answers are laid side by side: a key that is
refused everywhere is a wrong key; one that is refused for a single list lacks a permission.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from crm_assets.date_range import DateRange
from crm_assets.declarations.connections import Connection
from crm_assets.declarations.models.system import Resource
from crm_assets.extract.errors import ReadError
from crm_assets.extract.first_page import PATIENCE, FirstPage, FirstPageReader, last_days, parents_of, probing
from crm_assets.extract.secrets import missing_secrets, secret_variable, secrets_of

State = Literal["ok", "problem", "not asked"]
_STYLES: dict[State, str] = {"ok": "green", "problem": "bold red", "not asked": "dim"}


@dataclass(frozen=True)
class Finding:
    """What one resource's first page showed."""

    resource: str
    state: State
    sentence: str
    status: int | None = None
    """HTTP status of the answer; ``None`` where none came."""
    seconds: float = 0.0


@dataclass(frozen=True)
class Diagnosis:
    """How a connection is."""

    connection: str
    problems: tuple[str, ...] = ()
    """What keeps the whole connection from being asked."""
    findings: tuple[Finding, ...] = ()
    """One per resource; none where nothing was asked."""
    advice: tuple[str, ...] = ()
    """What the findings mean, laid side by side, and what to do."""

    @property
    def healthy(self) -> bool:
        """Whether everything that was asked for came."""
        return not self.problems and all(finding.state != "problem" for finding in self.findings)


def examine(connections: Iterable[Connection], folder: Path, patience: float = PATIENCE) -> list[Diagnosis]:
    """Ask every resource of the connections for its first page, side by side.

    Nothing is loaded. Children are asked for their first parent, windows for today.

    Args:
        connections: The accounts.
        folder: The data folder, which holds the rate budgets.
        patience: Seconds to wait for an answer.
    """

    async def all_of_them() -> list[Diagnosis]:
        return list(await asyncio.gather(*(_examined(connection, folder, patience) for connection in connections)))

    return asyncio.run(all_of_them())


async def _examined(connection: Connection, folder: Path, patience: float) -> Diagnosis:
    unusable = connection.unusable()
    problems = [*([unusable] if unusable else []), *missing_secrets(connection)]
    if problems:
        return Diagnosis(connection.name, problems=tuple(problems))
    resources = connection.system.resources
    async with probing(connection, secrets_of(connection), folder, 1, patience) as probe:
        findings = await asyncio.gather(*(_found(probe, connection, resource) for resource in resources))
    return Diagnosis(connection.name, findings=tuple(findings), advice=tuple(_advice(connection, list(findings))))


async def _found(probe: FirstPageReader, connection: Connection, resource: Resource) -> Finding:
    try:
        lists = await probe.lists(resource)
    except ReadError:
        return _not_asked(resource, "could not be read")
    if not lists:
        return _not_asked(resource, "has no rows")
    unbounded = resource.window is None or resource.name in parents_of(connection.system.resources)
    span = None if unbounded else last_days(connection, 1)
    started = time.perf_counter()
    try:
        sample = await (probe.whole(resource) if unbounded else probe.ask(resource, lists[0], span))
    except ReadError as error:
        seconds = round(time.perf_counter() - started, 3)
        sentence = error.problem[:1].upper() + error.problem[1:]
        return Finding(resource.name, "problem", sentence, error.status, seconds)
    return Finding(resource.name, "ok", _well(sample, span), 200, sample.seconds)


def _not_asked(resource: Resource, why: str) -> Finding:
    parent = resource.parent.resource if resource.parent else ""
    return Finding(resource.name, "not asked", f"It is read for the rows of {parent}, which {why}")


def _well(sample: FirstPage, span: DateRange | None) -> str:
    count = f"{len(sample.rows)} of {sample.total:,}" if sample.rows and sample.total else str(len(sample.rows) or "No")
    parts = [f"{count} record{'' if count == '1' else 's'}{f' on {span}' if span else ''}"]
    undeclared, misfits = sample.fields("_extra"), sample.fields("_misfits")
    if undeclared:
        parts.append(f"undeclared fields: {', '.join(undeclared)}")
    if misfits:
        parts.append(f"values of another type than declared: {', '.join(misfits)}")
    if sample.rejected:
        parts.append(f"{len(sample.rejected)} rejected: {sample.rejected[0]}")
    return "; ".join(parts)


def _advice(connection: Connection, findings: list[Finding]) -> Iterator[str]:
    problems = [finding for finding in findings if finding.state == "problem"]
    if problems and not any(finding.state == "ok" for finding in findings):
        yield _of_all(connection, {finding.status for finding in problems})
        return
    if names := _named(problems, {401, 403}):
        yield (
            f"The key is good, for other lists were read: let it read {names} in the settings of "
            f"{connection.system.title}, or choose the others with resources: in the connections file."
        )
    if names := _named(problems, {402}):
        yield (
            f"The subscription lacks {names}: extend it, or choose the others with resources: in the connections file."
        )
    if names := _named(problems, {404}):
        yield f"The address is good, for other lists were found: the account may lack {names}, or the path has changed."
    if names := _named(problems, {200}):
        yield f"The server answers otherwise than {Path(connection.system.path).name} declares {names}."
    if names := _named(problems, {429}):
        yield f"The vendor's limit was met at {names}: set rate_limit for the connection, then ask again."


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
    if statuses <= {402}:
        return "The subscription does not include the API: ask the vendor which plan does."
    if statuses <= {200, 404}:
        return f"No list was found at {connection.base_url}: check base_url{and_params}."
    if statuses <= {400, 401, 403, 422}:
        return f"Every list was refused, so it is the key itself: check {variables}{and_params}."
    return f"No list was read: check base_url ({connection.base_url}), {variables}{and_params}."


def _named(problems: Iterable[Finding], statuses: set[int]) -> str:
    return ", ".join(finding.resource for finding in problems if finding.status in statuses)


def render(diagnoses: Iterable[Diagnosis]) -> RenderableType:
    """Return a table per connection: a line for each resource, then what it all means."""
    parts: list[RenderableType] = []
    for diagnosis in diagnoses:
        parts += [Text(diagnosis.connection, "bold"), _table(diagnosis), Text()]
    return Group(*parts[:-1])


def _table(diagnosis: Diagnosis) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for sentence in diagnosis.problems:
        table.add_row(Text("  problem", _STYLES["problem"]), "", Text(sentence))
    before = ""
    for finding in diagnosis.findings:
        repeated = finding.state == "problem" and finding.sentence == before
        said = Text("the same", "dim") if repeated else Text(finding.sentence)
        table.add_row(Text(f"  {finding.state}", _STYLES[finding.state]), Text(finding.resource), said)
        before = finding.sentence
    for sentence in diagnosis.advice:
        table.add_row(Text("  →", "bold"), "", Text(sentence, "bold"))
    return table
