"""Docs: the reference pages of all declared systems, ``docs/systems/*.md``, made of the declarations alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from crm_assets.declarations import wording
from crm_assets.declarations.loader import SYSTEMS, available_systems, load_system
from crm_assets.declarations.models.connection import EXAMPLE_HOSTS
from crm_assets.declarations.models.system import System

FOLDER = Path("docs/systems")
RESTS_ON = {
    "contract": "documentation",
    "connector": "a working connector",
    "inferred": "inference",
    "observed": "observation",
}
"""What a resource's declaration is based on, in the words of the pages."""
_FILTERS = ("code", "cell", "auth_line", "mode_words", "paging_words", "end_words", "request_words", "filter_words")


def generated() -> dict[Path, str]:
    """Return all pages: path from the root of the checkout, and text."""
    systems = [load_system(name) for name in sorted(available_systems())]
    environment = _environment()
    system_page, index = environment.get_template("system.md"), environment.get_template("index.md")
    groups = {
        "Systems": [system for system in systems if system.base_system is None],
        "Vendor profiles": [system for system in systems if system.base_system],
    }
    pages = {FOLDER / "README.md": index.render(groups=groups.items())}
    for system in systems:
        pages[FOLDER / f"{system.name}.md"] = system_page.render(
            system=system,
            source=f"crm_assets/systems/{Path(system.path).relative_to(SYSTEMS)}",
            sources=RESTS_ON,
            base=load_system(system.base_system) if system.base_system else None,
            profiles=[profile for profile in systems if profile.base_system == system.name],
            snippet=_snippet(system),
            retries=_retries(system),
            references=_references(system),
        )
    return pages


def stale(root: Path) -> list[Path]:
    """Return the pages under a checkout's root that are missing, out of date or of no system any more."""
    pages = generated()
    outdated = [path for path, text in pages.items() if not _contains(root / path, text)]
    return sorted([*outdated, *_orphans(root, pages)])


def write_pages(root: Path) -> list[Path]:
    """Write the pages under a checkout's root and return those that were written or removed."""
    pages, changed = generated(), stale(root)
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    for path in changed:
        if path in pages:
            (root / path).write_text(pages[path], encoding="utf-8")
        else:
            (root / path).unlink()
    return changed


def _environment() -> Environment:
    environment = Environment(  # noqa: S701 - the pages are Markdown
        loader=PackageLoader("crm_assets.commands.reference_docs"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {name: getattr(wording, name) for name in _FILTERS}
    return environment


def _contains(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _orphans(root: Path, pages: Iterable[Path]) -> set[Path]:
    return {path.relative_to(root) for path in (root / FOLDER).glob("*.md")} - set(pages)


def _snippet(system: System) -> str:
    """Return the entry of a connections file with all that the system needs."""
    connection: dict[str, object] = {"name": system.name, "system": system.name}
    if EXAMPLE_HOSTS.fullmatch(system.client.base_url.split("/")[2]):
        connection["base_url"] = "https://the-address-of-your-account/"
    required = {name: yaml.safe_load(p.example or "''") for name, p in system.params.items() if p.default is None}
    if required:
        connection["params"] = required
    if any(resource.window for resource in system.resources):
        connection["start_date"] = "2024-01-01"
    text = str(yaml.safe_dump({"connections": [connection]}, sort_keys=False))
    return text.replace("'2024-01-01'", "2024-01-01").rstrip()


def _retries(system: System) -> dict[str, list[str]]:
    """Return the resources by how their failed requests are repeated."""
    by_words: dict[str, list[str]] = {}
    for resource in system.resources:
        by_words.setdefault(wording.retry_words(resource.endpoint.error_handler), []).append(resource.name)
    return by_words


def _references(system: System) -> dict[tuple[str, str], list[str]]:
    """Return the columns that name rows of another resource, by that resource and their own."""
    columns: dict[tuple[str, str], list[str]] = {}
    for resource in system.resources:
        for reference in system.references(resource):
            column = ".".join([reference.column, *reference.path])
            columns.setdefault((reference.resource, resource.name), []).append(column)
    return columns
