"""What commands share: dates as options, errors as one line, and where results are printed."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from crm_assets.errors import sentence_of

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from crm_assets.date_range import DateRange

DATE = click.DateTime(["%Y-%m-%d"])


class ErrorsAsLines(click.Group):
    """Shows what a person can act on as one line; everything else is a bug and keeps its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if sentence := sentence_of(error):
                raise click.ClickException(sentence) from error
            raise
        except KeyboardInterrupt:
            click.echo("\nStopped. What was loaded stays; run again for the rest.", err=True)
            sys.exit(130)


def days_between(first: datetime | None, last: datetime | None) -> DateRange | None:
    """Return the days from the first to the last, or to today; ``None`` if neither is given.

    Raises:
        click.UsageError: The last day is given alone, or lies before the first.
    """
    from crm_assets.date_range import DateRange

    if first is None and last is None:
        return None
    if first is None:
        raise click.UsageError("--to needs --from")
    end = last.date() if last else datetime.now().astimezone().date()
    if end < first.date():
        raise click.UsageError("--to lies before --from")
    return DateRange(first.date(), end + timedelta(days=1))


def console() -> Console:
    """Return the console of the terminal."""
    from rich.console import Console

    return Console()


def show(renderable: RenderableType) -> None:
    """Print a result."""
    console().print(renderable)
