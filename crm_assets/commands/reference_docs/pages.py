"""Docs: the reference pages of all declared systems, ``docs/systems/*.md``, made of the declarations alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from crm_assets.declarations.loader import SYSTEMS, available_systems, load_system
from crm_assets.declarations.models.columns import Column
from crm_assets.declarations.models.connection import EXAMPLE_HOSTS
from crm_assets.declarations.models.resource import Resource
from crm_assets.declarations.models.system import System
from crm_assets.declarations.wording import (
    auth_line,
    cell,
    code,
    end_words,
    filter_words,
    mode_words,
    paging_words,
    request_words,
    retry_words,
    table,
)

FOLDER = Path("docs/systems")
_MADE = "<!-- Made from {source} by `crm-assets docs`: edit that file, not this one. -->"
RESTS_ON = {
    "contract": "documentation",
    "connector": "a working connector",
    "inferred": "inference",
    "observed": "observation",
}


def generated() -> dict[Path, str]:
    """Return all pages: path from the root of the checkout, and text."""
    systems = [load_system(name) for name in sorted(available_systems())]
    pages = {FOLDER / f"{system.name}.md": _lines(_page(system, systems)) for system in systems}
    return {FOLDER / "README.md": _lines(_index(systems)), **pages}


def stale(root: Path) -> list[Path]:
    """Return the pages under a checkout's root that are missing, out of date or of no system any more."""
    pages = generated()
    old = [path for path in pages if not _holds(root / path, pages[path])]
    return sorted([*old, *_left_over(root, pages)])


def write(root: Path) -> list[Path]:
    """Write the pages under a checkout's root and return those that were written or removed."""
    pages, changed = generated(), stale(root)
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    for path in changed:
        if path in pages:
            (root / path).write_text(pages[path], encoding="utf-8")
        else:
            (root / path).unlink()
    return changed


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _left_over(root: Path, pages: Iterable[Path]) -> set[Path]:
    return {path.relative_to(root) for path in (root / FOLDER).glob("*.md")} - set(pages)


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _index(systems: list[System]) -> Iterator[str]:
    yield _MADE.format(source="crm_assets/systems")
    yield "# Systems"
    yield ""
    yield "A system is a family of APIs, a vendor profile what one vendor does differently. Connections name either."
    for title, chosen in (
        ("Systems", [system for system in systems if system.base_system is None]),
        ("Vendor profiles", [system for system in systems if system.base_system]),
    ):
        yield from ("", f"## {title}", "")
        rows = [
            (
                f"[{system.title}]({system.name}.md)",
                code(system.name),
                f"seed {system.origin}" if system.origin else f"[{system.base_system}]({system.base_system}.md)",
                str(len(system.resources)),
                system.description,
            )
            for system in chosen
        ]
        yield from table(("", "system", "from", "resources", "what it is"), rows)
    yield from ("", "## What a declaration is based on", "")
    yield from (
        "- **documentation**: the seed document, or the vendor's own documentation;",
        "- **a working connector**: public code that reads the real API;",
        "- **inference**: a reading of either where both are silent. Try `crm-assets preview` before you rely on it.",
        "",
        "Each resource says where that was found. To declare another system, see [the dialect](../dialect.md).",
    )


def _page(system: System, systems: list[System]) -> Iterator[str]:
    source = f"crm_assets/systems/{Path(system.path).relative_to(SYSTEMS)}"
    yield _MADE.format(source=source)
    yield f"# {system.title}"
    yield from ("", system.description, "")
    yield f"{_origin(system, systems)} Declared in [{Path(source).name}](../../{source})."
    yield from ("", "## Connect", "")
    yield from _connect(system)
    yield from ("", "## Limits and retries", "")
    yield from _limits(system)
    if system.notes:
        yield from ("", "## Good to know", "")
        yield from (f"- {note}" for note in system.notes)
    yield from ("", "## Resources", "")
    yield from _overview(system)
    yield from _diagram(system)
    for resource in system.resources:
        yield from ("", f"## {resource.name}", "")
        yield from _resource(resource)


def _origin(system: System, systems: list[System]) -> str:
    if system.base_system:
        return f"Vendor profile of [{load_system(system.base_system).title}]({system.base_system}.md)."
    profiles = [f"[{one.title}]({one.name}.md)" for one in systems if one.base_system == system.name]
    of_profiles = f" Vendor profiles: {', '.join(profiles)}." if profiles else ""
    return f"From seed {system.origin}.{of_profiles}" if system.origin else of_profiles.strip()


def _connect(system: System) -> Iterator[str]:
    yield from ("```yaml", "# connections.yaml", _snippet(system).rstrip(), "```", "")
    if system.params:
        rows = [
            (code(name), param.description, code(param.example) if param.example else "", _default(param.default))
            for name, param in system.params.items()
        ]
        yield from (*table(("parameter", "meaning", "example", "default"), rows), "")
    yield f"Requests go to `{system.client.base_url}` with {auth_line(system.client.auth)}."
    yield "Secrets come from the environment, or from `.dlt/secrets.toml`:"
    yield ""
    places = [
        (code(name), code(f"SOURCES__{system.name}__{name}".upper()), code(f"[sources.{system.name}] {name}"))
        for name in system.secrets
    ]
    yield from table(("secret", "environment variable", "secrets.toml"), places)
    yield from ("", f"`{system.name}` in both is the connection's name. Test it with `crm-assets doctor`.")


def _default(default: str | int | None) -> str:
    return "" if default is None else code(str(default)) if default != "" else "empty"


def _snippet(system: System) -> str:
    connection: dict[str, object] = {"name": system.name, "system": system.name}
    if EXAMPLE_HOSTS.fullmatch(system.client.base_url.split("/")[2]):
        connection["base_url"] = "https://the-address-of-your-account/"
    required = {name: yaml.safe_load(p.example or "''") for name, p in system.params.items() if p.default is None}
    if required:
        connection["params"] = required
    if any(resource.window for resource in system.resources):
        connection["start_date"] = "2024-01-01"
    return str(yaml.safe_dump({"connections": [connection]}, sort_keys=False)).replace("'2024-01-01'", "2024-01-01")


def _limits(system: System) -> Iterator[str]:
    limit = system.rate_limit
    if limit:
        yield f"At most {limit.requests} requests a {limit.per}, over all runs of a connection on one machine."
    else:
        yield "No rate limit is declared. The pace is found from answers with status 429; `rate_limit` sets one."
    yield ""
    by_words: dict[str, list[str]] = {}
    for resource in system.resources:
        by_words.setdefault(retry_words(resource.endpoint.error_handler), []).append(resource.name)
    for words, names in by_words.items():
        yield words if len(by_words) == 1 else f"- {', '.join(names)}: {words}"


def _overview(system: System) -> Iterator[str]:
    rows = [
        (
            f"[{resource.name}](#{resource.name})",
            mode_words(resource),
            ", ".join(map(code, resource.primary_key)),
            paging_words(resource.endpoint.paginator),
            end_words(resource.endpoint.paginator),
            f"[{resource.parent.resource}](#{resource.parent.resource})" if resource.parent else "",
            RESTS_ON[resource.verified],
        )
        for resource in system.resources
    ]
    yield from table(("resource", "read by", "key", "pages", "ends with", "one list per row of", "rests on"), rows)


def _diagram(system: System) -> Iterator[str]:
    """Yield the entity diagram: an arrow from each resource to those its columns name rows of."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for resource in system.resources:
        for reference in system.references(resource):
            name = ".".join([reference.column, *reference.path])
            arrows.setdefault((reference.resource, resource.name), []).append(name)
    if not arrows:
        return
    yield from ("", "## How they are related", "", "```mermaid", "erDiagram")
    for (target, source), names in arrows.items():
        yield f'    {target} ||--o{{ {source} : "{", ".join(dict.fromkeys(names))}"'
    yield "```"


def _resource(resource: Resource) -> Iterator[str]:
    yield resource.description
    yield ""
    yield request_words(resource.endpoint)
    if resource.mode != "full_refresh":
        yield from ("", filter_words(resource))
    if resource.evidence:
        yield from ("", f"Rests on {RESTS_ON[resource.verified]}. {' '.join(resource.evidence.split())}")
    yield ""
    rows = [_column(name, column, resource) for name, column in resource.columns.items()]
    yield from table(("column", "type", "on the wire", "null", "personal data", "meaning"), rows)


def _column(name: str, column: Column, resource: Resource) -> tuple[str, ...]:
    nullable = column.nullable and name not in resource.primary_key
    form = "" if column.format == "iso" else f" ({column.format})"
    wire = "the request" if column.placeholder else code(column.source) if column.source else ""
    return (
        code(name),
        column.type.value + form,
        wire,
        "" if nullable else "never",
        column.pii or "",
        cell(column.description),
    )
