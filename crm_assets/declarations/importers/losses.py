"""What an import assumed or could not say, and the list it is kept in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LossKind = Literal["assumed", "lost", "left out"]


@dataclass(frozen=True)
class Note:
    """One thing the source says otherwise than the declaration, or not at all."""

    kind: LossKind
    """``assumed``: the source does not say. ``lost``: it says more than the declaration can. ``left out``: the
    resource is not in the declaration."""
    what: str
    resources: tuple[str, ...] = ()
    """The resources it concerns; none where it concerns the whole system."""

    def __str__(self) -> str:
        place = f"{', '.join(self.resources)}: " if self.resources else ""
        return f"{self.kind}: {place}{' '.join(self.what.split())}"


class Notes:
    """Collects notes; what is said of many resources alike becomes one note."""

    def __init__(self) -> None:
        self._found: dict[tuple[LossKind, str], list[str]] = {}

    def add(self, kind: LossKind, what: str, *resources: str) -> None:
        """Add a note; see :class:`Note`."""
        named = self._found.setdefault((kind, what), [])
        named.extend(name for name in resources if name not in named)

    def all(self) -> tuple[Note, ...]:
        """Return the notes in the order in which they were first added."""
        return tuple(Note(kind, what, tuple(resources)) for (kind, what), resources in self._found.items())

    @property
    def complete(self) -> bool:
        """Whether the declaration says all that the source does."""
        return all(kind == "assumed" for kind, _ in self._found)
