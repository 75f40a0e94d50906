"""What an import changed, and the list it is kept in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RepairKind = Literal["changed", "kept", "assumed", "open"]


@dataclass(frozen=True)
class Repair:
    """One thing a seed document says otherwise than the dialect, or not at all."""

    kind: RepairKind
    """``changed``: the same in the dialect's words. ``kept``: taken over although dlt refuses it. ``assumed``: the
    document doesn't say. ``open``: a question somebody has to answer before the system can be read."""
    key: str
    what: str
    why: str
    resources: tuple[str, ...] = ()
    """The resources it concerns; none where it concerns the whole system."""

    def __str__(self) -> str:
        place = f"{', '.join(self.resources)}: " if self.resources else ""
        return " ".join(f"{self.kind}: {place}{self.key}: {self.what} ({self.why})".split())


class Repairs:
    """Collects repairs; what is done to many resources alike becomes one entry."""

    def __init__(self) -> None:
        self._found: dict[tuple[RepairKind, str, str, str], list[str]] = {}

    def note(self, kind: RepairKind, key: str, what: str, why: str, *resources: str) -> None:
        """Add a repair; see :class:`Repair`."""
        self._found.setdefault((kind, key, what, why), []).extend(resources)

    def all(self) -> tuple[Repair, ...]:
        """Return the repairs in the order they were first noted."""
        return tuple(Repair(*entry, tuple(resources)) for entry, resources in self._found.items())
