"""Templates of a manifest made into those of a declaration."""

from __future__ import annotations

import re
from typing import Any

from jinja2 import nodes

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.airbyte.expressions import (
    Moment,
    Named,
    NoCounterpartError,
    condition,
    joined_setting,
    named,
    parts,
    value_of,
)
from crm_assets.declarations.importers.airbyte.increments import Increment
from crm_assets.declarations.importers.airbyte.partitions import Partitions
from crm_assets.declarations.importers.airbyte.settings import ManifestSettings, is_plain
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.models.incremental import END_VALUE


class Templates:
    """The templates of one stream.

    Args:
        name: Name of the stream.
        settings: The manifest's settings.
        partitions: What the stream is read once for each of.
        increment: How its changes are read.
        notes: Takes what is assumed or lost.
    """

    def __init__(
        self, name: str, settings: ManifestSettings, partitions: Partitions, increment: Increment, notes: Notes
    ) -> None:
        self._name, self._settings, self._notes = name, settings, notes
        self._partitions, self._increment = partitions, increment
        self.secrets: set[str] = set()
        """Names of the secrets that were met."""

    def sent(self, given: Any) -> Document:
        """Return parameters, headers or a body; what only names the moment of the read is left out."""
        if not given:
            return {}
        if not isinstance(given, dict):
            raise NoCounterpartError("parameters made by a template have no counterpart")
        found = {str(key): self.value(value) for key, value in given.items()}
        return {key: value for key, value in found.items() if value is not None and value != ""}

    def value(self, given: Any) -> Any:
        """Return a value of a request; ``None`` where it is not sent."""
        if isinstance(given, dict):
            return {str(key): self.value(value) for key, value in given.items()}
        if isinstance(given, list):
            return [self.value(value) for value in given]
        if is_plain(given):
            return given
        found = named(given)
        if isinstance(found, Named) and found.root == "stream_interval" and self._increment.value(found) is None:
            self._notes.add("assumed", f"{str(given).strip()} names nothing and is not sent", self._name)
            return None
        if isinstance(found, Moment):
            return END_VALUE if self._increment.given else self._now(str(given))
        try:
            return self._members(str(given)) or self.text(str(given))
        except NoCounterpartError:
            if not self._is_of_the_start(str(given)):
                raise
            what = f"{' '.join(str(given).split())} is not sent: the list is read from its beginning"
            self._notes.add("assumed", what, self._name)
            return None

    def _members(self, given: str) -> list[str]:
        """Return the members of a list that a template writes."""
        found = condition(given)
        return [self._named(item, given) for item in found.items] if isinstance(found, nodes.List) else []

    def _is_of_the_start(self, given: str) -> bool:
        """Whether a template says nothing but the day to begin with, in its own way."""
        found = [value_of(node) for part in parts(given) if isinstance(part, nodes.Expr) for node in values_in(part)]
        settings = {one.path for one in found if isinstance(one, Named) and one.root == "config"}
        return len(settings) == 1 and all(map(self._settings.is_date, settings))

    def _now(self, text: str) -> None:
        self._notes.add(
            "assumed", f"{text.strip()} is not sent: without it the API is assumed to answer up to now", self._name
        )

    def text(self, given: str) -> str:
        """Return a template of the manifest as one of the declaration."""
        if is_plain(given):
            return given
        return "".join(part if isinstance(part, str) else self._named(part, given) for part in parts(given))

    def _named(self, node: nodes.Expr, whole: str) -> str:
        if isinstance(node, nodes.Const):
            return str(node.value)
        if (
            isinstance(node, nodes.CondExpr)
            and isinstance(node.expr2, nodes.Const)
            and isinstance(node.expr1, nodes.Const)
        ):
            self._notes.add("assumed", f"{node.expr2.value!r}, where a setting could say {node.expr1.value!r}")
            return str(node.expr2.value)
        found = value_of(node)
        if found is None and (joined := joined_setting(node)):
            found, between = joined
            self._notes.add("assumed", f"the parameter {self._settings.param(found)} is a text joined by {between!r}")
        if isinstance(found, Named):
            if found.root == "config" and found.path:
                if self._settings.is_secret(found.path):
                    self.secrets.add(name := self._settings.secret_name(found))
                    return f"{{{name}}}"
                return f"{{{self._settings.param(found)}}}"
            own = self._partitions.value(found) or self._increment.value(found)
            if own is not None:
                return own
        raise NoCounterpartError(f"{re.sub(chr(10), ' ', whole).strip()[:90]!r} has no counterpart")


def values_in(node: nodes.Expr) -> list[nodes.Node]:
    """Return the values that are looked up in an expression, without the methods that are called on them."""
    methods = [call.node for call in [*node.find_all(nodes.Call), *([node] if isinstance(node, nodes.Call) else [])]]
    return [one for one in node.find_all((nodes.Getattr, nodes.Getitem)) if not any(one is each for each in methods)]
