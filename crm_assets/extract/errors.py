"""What can go wrong while reading: one sentence with connection, resource and page."""

from __future__ import annotations

from crm_assets.errors import CrmAssetsError


class ReadError(CrmAssetsError):
    """A resource cannot be read to its end; nothing of it is loaded.

    Args:
        problem: What went wrong and what to do. Never holds a secret.
        status: HTTP status of the answer, if there was one.
    """

    def __init__(self, problem: str, *, status: int | None = None) -> None:
        self.problem = problem
        self.status = status
        super().__init__(problem)

    def at(self, place: str) -> ReadError:
        """Return the same error with the place in front."""
        return ReadError(f"{place}: {self.problem}", status=self.status)


class SecretError(ReadError):
    """A secret is missing, empty or still a placeholder."""
