"""``crm-assets import``: the declarations that a source makes, as files or on the terminal."""

from __future__ import annotations

from pathlib import Path

import click

from crm_assets.declarations.importers.source import Imported, import_source


def import_to_file(source: str, name: str | None, output: Path | None) -> bool:
    """Write what a source makes, and say what is assumed and lost; return whether nothing is.

    Args:
        source: What to import; see :func:`~crm_assets.declarations.importers.source.import_source`.
        name: Name of the system; by default the file's.
        output: File to write; those of further APIs are written beside it. Without it the terminal gets the first.

    Raises:
        SpecError: Nothing of it can be declared.
    """
    imported = import_source(source, name)
    complete = _write_import(imported, output)
    for further, other in imported.further:
        if output is None:
            click.echo(
                f"lost: the declaration of a further API, {further}; --output FILE writes one for each", err=True
            )
            complete = False
        else:
            path = output.with_name(f"{further}{output.suffix}")
            click.echo(f"A further API, in {path}:", err=True)
            complete = _write_import(other, path) and complete
    return complete


def _write_import(imported: Imported, output: Path | None) -> bool:
    if output:
        output.write_text(imported.text, encoding="utf-8")
    else:
        click.echo(imported.text)
    click.echo(f"{len(imported.notes)} {imported.what}:", err=True)
    for note in imported.notes:
        click.echo(f"  {note}", err=True)
    return imported.complete
