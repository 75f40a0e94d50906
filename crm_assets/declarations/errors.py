"""Errors of the dialect: one line that names the place, what is wrong, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
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
        return type(self)(self.problem, *place, *(part for part in self.place if part not in place))


class KeyValueError(SpecError):
    """What stands at one key cannot be used, whatever else is declared."""


class UnknownKeyError(KeyValueError):
    """A key that means nothing."""


class SpecErrorGroup(SpecError):  # noqa: N818 - as Python's ExceptionGroup
    """Several problems of the same files, a line for each.

    Args:
        problems: Two or more.
    """

    def __init__(self, problems: Sequence[SpecError]) -> None:
        super().__init__(problems[0].problem, *problems[0].place)
        self.problems = tuple(problems)
        lines = [f"{len(problems)} problems:", *(f"  {problem}" for problem in problems)]
        self.args = ("\n".join(lines),)

    def inside(self, *place: str) -> SpecError:
        """Return the same problems, each with the surrounding place put in front."""
        return SpecErrorGroup([problem.inside(*place) for problem in self.problems])


def problems_of(error: SpecError) -> tuple[SpecError, ...]:
    """Return an error's problems, each as an error of its own."""
    return error.problems if isinstance(error, SpecErrorGroup) else (error,)


def together(errors: Iterable[SpecError]) -> SpecError:
    """Return errors as one; what says the same of the same place is said once."""
    single = {str(problem): problem for error in errors for problem in problems_of(error)}
    return next(iter(single.values())) if len(single) == 1 else SpecErrorGroup(list(single.values()))


class Problems:
    """Collects errors, so that one of them does not hide the others."""

    def __init__(self) -> None:
        self.errors: list[SpecError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the error that the block raises, and go on behind it."""
        try:
            yield
        except SpecError as error:
            self.errors += problems_of(error)

    def raise_all(self) -> None:
        """Raise what was noted as one error, if there is anything.

        Raises:
            SpecError: There is.
        """
        if self.errors:
            raise together(self.errors)


_MEANT = {
    "integer": ("bigint",),
    "int": ("bigint",),
    "string": ("text",),
    "str": ("text",),
    "boolean": ("bool",),
    "float": ("double",),
    "number": ("double", "decimal"),
    "datetime": ("timestamp",),
    "object": ("json",),
    "array": ("json",),
    "data_path": ("data_selector",),
    "records_path": ("data_selector",),
    "fields": ("columns",),
    "url": ("path", "base_url"),
    "primary_keys": ("primary_key",),
    "page_size": ("limit",),
    "per_page": ("limit_param",),
    "next_page_path": ("next_url_path",),
    "authentication": ("auth",),
}
"""What people write who know other tools, and the words that mean it here."""


def closest(word: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed word that was meant, or ``None`` where none is close."""
    allowed = list(allowed)
    meant = [known for known in _MEANT.get(word.lower(), ()) if known in allowed]
    return next(iter(meant or get_close_matches(word, allowed, n=1, cutoff=0.5)), None)


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the allowed word that was meant, or a full stop where none is close."""
    meant = closest(word, allowed)
    return f"; did you mean {meant!r}?" if meant else "."


def listed(words: Iterable[str]) -> str:
    """Return the words as a sorted, comma-separated list for a message."""
    return ", ".join(sorted(words)) or "nothing"


def unknown(what: str, word: str, allowed: Iterable[str]) -> str:
    """Return the sentence for a name that is not there: what was looked for, the nearest one, and all there are."""
    allowed = list(allowed)
    return f"no {what} {word!r}{nearest(word, allowed)} Known: {listed(allowed)}"
