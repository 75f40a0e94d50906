"""Preview: rows as they would be loaded, personal data masked, nothing loaded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from crm_assets.cli import main
from crm_assets.commands.preview import MASK, Preview, preview
from crm_assets.commands.preview_view import render_preview
from crm_assets.date_range import DateRange
from crm_assets.declarations.models.connection import Connection
from crm_assets.errors import CommandError
from crm_assets.extract.errors import ReadError, SecretError
from crm_assets.extract.shared_state import FileState
from crm_assets_tests.faults import Fault, FaultySandbox
from crm_assets_tests.installation import HERE, TODAY

Show = Callable[..., Preview]
DAY = DateRange(TODAY, date(2024, 3, 31))


@pytest.fixture
def show(
    served: tuple[FaultySandbox, str], sandbox: FaultySandbox, connections: dict[str, Connection], tmp_path: Path
) -> Show:
    """Return a function that previews a resource, given as ``connection.resource``."""

    def run(name: str, **options: object) -> Preview:
        connection, resource = name.split(".")
        here = connections[connection].at(f"{served[1]}/{connection}")
        return preview(here, resource, FileState(tmp_path), **options)  # type: ignore[arg-type]

    return run


def printed(shown: Preview, width: int) -> str:
    file = StringIO()
    Console(width=width, file=file).print(render_preview(shown, width))
    return file.getvalue()


def test_rows_are_those_of_the_source_with_personal_data_masked(show: Show, sandbox: FaultySandbox) -> None:
    shown = show("nutshell.contacts", rows=4)
    truth = {row["id"]: row for row in sandbox.rows("nutshell", "contacts")}
    columns = shown.resource.columns
    assert len(shown.rows) == 4
    for row in shown.rows:
        true = truth[row["id"]]
        assert [row[name] for name, column in columns.items() if column.pii and row[name]] == [
            MASK for name, column in columns.items() if column.pii and true[name] is not None
        ]
        assert row["job_title"] == (true["job_title"] or "")
    assert f"{MASK} stands for personal data; --show-pii shows it." in shown.notes


def test_personal_data_is_shown_where_it_is_asked_for(show: Show, sandbox: FaultySandbox) -> None:
    shown = show("nutshell.contacts", show_pii=True)
    truth = {row["id"]: row for row in sandbox.rows("nutshell", "contacts")}
    assert [row["first_name"] for row in shown.rows] == [truth[row["id"]]["first_name"] or "" for row in shown.rows]
    assert MASK not in printed(shown, 120)


def test_undeclared_fields_are_named_but_not_shown(show: Show, sandbox: FaultySandbox) -> None:
    sandbox.faults.push(Fault("unknown_field", field="birthday", value="1 May"))
    assert {row["_extra"] for row in show("nutshell.contacts").rows} == {"birthday"}
    assert {row["_extra"] for row in show("nutshell.contacts", show_pii=True).rows} == {'{"birthday":"1 May"}'}


def test_it_asks_for_no_more_than_it_shows_and_loads_nothing(
    show: Show, sandbox: FaultySandbox, tmp_path: Path
) -> None:
    shown = show("nutshell.contacts", rows=2)
    (asked,) = sandbox.requests
    assert asked.query["page[limit]"] == "2"
    assert shown.notes[0] == f"2 rows of {len(sandbox.rows('nutshell', 'contacts'))}; nothing was loaded."
    assert [path.name for path in tmp_path.iterdir()] == ["budgets"]


def test_a_window_is_asked_for_the_last_week_or_the_days_given(show: Show, sandbox: FaultySandbox) -> None:
    nothing = show("contact_crm.events")
    assert nothing.rows == ()
    assert nothing.notes[0].startswith("No rows (window ")
    assert nothing.notes[1] == "Ask for other days with --from and --to."
    truth = {row["id"] for row in sandbox.rows("contact_crm", "events", window=(TODAY, TODAY))}
    shown = show("contact_crm.events", dates=DAY, rows=100)
    assert {row["id"] for row in shown.rows} == truth
    assert f"window {TODAY}" in shown.notes[0]


def test_days_mean_nothing_to_a_sweep(show: Show) -> None:
    assert show("contact_crm.users", dates=DAY).rows == show("contact_crm.users").rows


def test_of_children_the_first_parent_with_rows_is_shown(show: Show, sandbox: FaultySandbox) -> None:
    contacts = sorted(row["id"] for row in sandbox.rows("less_annoying_crm", "contacts"))
    sandbox.faults.push(Fault("empty_page", resource="contact_events", parent=contacts[0]))
    shown = show("less_annoying_crm.contact_events")
    assert len({row["contact_id"] for row in shown.rows}) == 1
    assert shown.rows[0]["contact_id"] in contacts[1:]
    assert f"contact_id {shown.rows[0]['contact_id']}" in shown.notes[0]


def test_without_parents_there_is_nothing_to_ask(show: Show, sandbox: FaultySandbox) -> None:
    sandbox.faults.push(Fault("empty_page", resource="accounts"))
    with pytest.raises(ReadError, match=r"^visitor_analytics\.visits: accounts has no rows to read it for$"):
        show("visitor_analytics.visits")


def test_records_that_cannot_be_loaded_are_told(show: Show, sandbox: FaultySandbox) -> None:
    sandbox.faults.push(Fault("null_id"))
    assert "1 of this page's records cannot be loaded: the primary key" in show("nutshell.contacts").notes[-1]


def test_what_is_wrong_is_one_sentence(
    show: Show,
    sandbox: FaultySandbox,
    connections: dict[str, Connection],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with pytest.raises(CommandError, match="no resource of nutshell 'contact'; did you mean 'contacts'"):
        show("nutshell.contact")
    sandbox.faults.push(Fault("status", status=403))
    with pytest.raises(ReadError, match=r"^nutshell\.contacts: the server answered 403"):
        show("nutshell.contacts")
    with pytest.raises(ReadError, match="still points at the example address"):
        preview(connections["sales_crm"], "accounts", FileState(tmp_path))
    monkeypatch.delenv("SOURCES__NUTSHELL__PASSWORD")
    with pytest.raises(SecretError, match="SOURCES__NUTSHELL__PASSWORD"):
        show("nutshell.contacts")


@pytest.mark.parametrize("width", [60, 100, 200])
def test_it_fits_the_terminal_and_has_a_line_per_column(show: Show, width: int) -> None:
    shown = show("nutshell.contacts")
    lines = printed(shown, width).splitlines()
    assert lines[0] == "nutshell.contacts"
    assert lines[1].split() == ["column", "type", "row", "1", "row", "2", "row", "3"]
    names = list(shown.resource.columns)
    assert [line.split()[0] for line in lines[2 : 2 + len(names)]] == names
    assert max(map(len, lines)) <= width


def test_days_are_given_on_the_command_line(
    served: tuple[FaultySandbox, str], sandbox: FaultySandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CRM_ASSETS_CONNECTIONS", str(HERE / "connections.yaml"))
    monkeypatch.setenv("CRM_ASSETS_SANDBOX", served[1])
    monkeypatch.setenv("CRM_ASSETS_DATA", str(tmp_path))
    done = CliRunner().invoke(main, ["preview", "contact_crm.events", "--from", str(TODAY), "--to", str(TODAY)])
    truth = sandbox.rows("contact_crm", "events", window=(TODAY, TODAY))
    assert done.exit_code == 0
    assert f"(window {TODAY}); nothing was loaded." in done.output
    assert [row["id"] for row in truth if row["id"] not in done.output] == []
