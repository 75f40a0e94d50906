"""Errors of the dialect: one line that names the place, what is wrong, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from crm_assets.errors import CrmAssetsError


class SpecError(CrmAssetsError, ValueError):
    """A declaration or a connection that cannot be used; a ``ValueError``, so that pydantic validators may raise it.

    Args:
        problem: What is wrong and what to do, as a sentence.
        place: Where, from the outermost in: file, system, resource, key.
    """

    def __init__(self, problem: str, *place: str) -> None:
        self.problem = " ".join(problem.split())
        self.place = tuple(part for part in place if part)
        super().__init__(": ".join([", ".join(self.place), self.problem]) if self.place else self.problem)

    def inside(self, *place: str) -> SpecError:
        """Return the same problem with the surrounding place put in front; what it already names stays once."""
        return SpecError(self.problem, *place, *(part for part in self.place if part not in place))


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the closest allowed word, or a full stop where none is close."""
    close = get_close_matches(word, list(allowed), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else "."


def listed(words: Iterable[str]) -> str:
    """Return the words as a sorted, comma-separated list for a message."""
    return ", ".join(sorted(words)) or "nothing"


def unknown(what: str, word: str, allowed: Iterable[str]) -> str:
    """Return the sentence for a name that is not there: what was looked for, the nearest one, and all there are."""
    allowed = list(allowed)
    return f"no {what} {word!r}{nearest(word, allowed)} Known: {listed(allowed)}"
