"""What can go wrong while reading: one sentence with connection, resource and page."""

from __future__ import annotations

from typing_extensions import Self

from crm_assets.errors import CrmAssetsError


class ReadError(CrmAssetsError):
    """A resource cannot be read to its end; nothing of it is loaded.

    Args:
        problem: What went wrong and what to do. Never contains a secret.
        status: HTTP status of the answer, if there was one.
    """

    def __init__(self, problem: str, *, status: int | None = None) -> None:
        self.problem = problem
        self.status = status
        super().__init__(problem)

    def at(self, place: str) -> Self:
        """Return the same error, of the same class and with the same cause, with the place in front."""
        return self.worded(f"{place}: {self.problem}")

    def worded(self, problem: str) -> Self:
        """Return the same error, of the same class and with the same cause, in other words."""
        error = type(self)(problem, status=self.status)
        error.__cause__ = self.__cause__
        return error


class SecretError(ReadError):
    """A secret is missing, empty or still a placeholder."""


class UnexpectedResponseError(ReadError):
    """The server answered, but not with the list that is declared."""


class IgnoredAnswerError(ReadError):
    """The declaration says that a list with such a response is skipped."""


class UnaddressableError(ReadError):
    """A list's address cannot be built from the key of its parent; the server cannot have such a list."""
