"""Partition routers of a manifest: the parents a stream is read for, and lists of fixed values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.airbyte.expressions import Named, NoCounterpartError, named
from crm_assets.declarations.importers.airbyte.settings import ManifestSettings, is_plain
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.spellings.names import snake_case


@dataclass
class Partitions:
    """What a list is read for."""

    parent: Document = field(default_factory=dict)
    """The parent stream's own document in the manifest, or nothing."""
    key: str = ""
    """Path of the parent's key in its records."""
    placeholder: str = ""
    further: dict[str, str] = field(default_factory=dict)
    """Paths of further fields of the parent, by placeholder."""
    fixed: Document = field(default_factory=dict)
    options: list[tuple[Document, str]] = field(default_factory=list)
    """Where a value is sent that the manifest injects by an option, with its placeholder."""
    names: dict[str, str] = field(default_factory=dict)
    """Placeholders by the name the manifest gives the value."""

    def value(self, found: Named) -> str | None:
        """Return the placeholder of a value that a template names, or ``None``.

        Raises:
            NoCounterpartError: It is of the parents further up, or unknown.
        """
        if found.root not in ("stream_partition", "stream_slice") or not found.path:
            return None
        if found.path[0] == "extra_fields" and len(found.path) == 2:
            name = snake_case(found.path[1])
            self.further.setdefault(name, found.path[1])
            return f"{{{name}}}"
        if found.path[0] == "parent_slice" and len(found.path) > 1:
            return self._grandparent(found.path[-1])
        if found.path[0] in self.names:
            return f"{{{self.names[found.path[0]]}}}"
        return None

    def _grandparent(self, name: str) -> str:
        """Return the placeholder of a key of the parent's own parent: the parent has it as a column of that name."""
        if not self.parent:
            raise NoCounterpartError(f"{name} of a parent further up is unknown")
        own = f"{snake_case(name)}_above" if snake_case(name) == self.placeholder else snake_case(name)
        self.further.setdefault(own, f"{{{snake_case(name)}}}")
        return f"{{{own}}}"


def one_parent_each(stream: Document, notes: Notes) -> list[Document]:
    """Return a stream that is read for several parents as several, each with a table of its own.

    Args:
        stream: Its document in the manifest.
        notes: Takes what is assumed.
    """
    retriever = stream.get("retriever") or {}
    given = retriever.get("partition_router")
    router: Document = given if isinstance(given, dict) else {}
    configs = router.get("parent_stream_configs") or []
    if len(configs) < 2:
        return [stream]
    parents = [str((config.get("stream") or {}).get("name")) for config in configs]
    notes.add("assumed", f"there is a table for each of its parents: {', '.join(parents)}", str(stream.get("name")))
    return [
        {
            **stream,
            "name": f"{stream.get('name')}_of_{parent}",
            "retriever": {**retriever, "partition_router": {**router, "parent_stream_configs": [config]}},
        }
        for parent, config in zip(parents, configs, strict=True)
    ]


def partitions(given: Any, settings: ManifestSettings) -> Partitions:
    """Return what a list is read for.

    Raises:
        NoCounterpartError: A router has no counterpart.
    """
    found = Partitions()
    for router in given if isinstance(given, list) else [given] if given else []:
        match router.get("type"):
            case "SubstreamPartitionRouter":
                _parent(router, found)
            case "ListPartitionRouter":
                _fixed(router, found, settings)
            case kind:
                raise NoCounterpartError(f"the partitions of {kind or 'custom code'} have no counterpart")
    return found


def _parent(router: Document, found: Partitions) -> None:
    configs = router.get("parent_stream_configs") or []
    if len(configs) != 1 or found.parent:
        raise NoCounterpartError("a list of several parents has no counterpart")
    (config,) = configs
    name = str(config.get("partition_field"))
    found.parent, found.key, found.placeholder = (
        config.get("stream") or {},
        str(config.get("parent_key")),
        snake_case(name),
    )
    if "*" in found.key:
        raise NoCounterpartError("a list of values inside a parent's record has no counterpart")
    found.names[name] = found.placeholder
    if isinstance(config.get("request_option"), dict):
        found.options.append((config["request_option"], f"{{{found.placeholder}}}"))


def _fixed(router: Document, found: Partitions, settings: ManifestSettings) -> None:
    name, values = str(router.get("cursor_field")), router.get("values")
    own = snake_case(name)
    if isinstance(values, list) and all(map(is_plain, values)):
        found.fixed[own] = values
    elif isinstance(setting := named(values), Named) and setting.root == "config":
        param = settings.param(setting)
        own = f"{own}_value" if param == own else own
        found.fixed[own] = [f"{{{param}}}"]
    else:
        raise NoCounterpartError("its list of values has no counterpart")
    found.names[name] = own
    if isinstance(router.get("request_option"), dict):
        found.options.append((router["request_option"], f"{{{own}}}"))
