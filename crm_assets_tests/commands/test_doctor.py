"""Doctor: one small request per resource, and what is wrong in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from syrupy.assertion import SnapshotAssertion

from crm_assets.commands.doctor import Diagnosis, ListFinding, examine, warehouse_problems
from crm_assets.commands.doctor_view import render_diagnoses
from crm_assets.declarations.models.connection import Connection
from crm_assets.extract.shared_state import FileState
from crm_assets.sandbox import sandbox_secrets
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.faults import Fault, FaultySandbox

Examine = Callable[..., Diagnosis]
Connections = dict[str, Connection]


@pytest.fixture
def doctor(
    served: tuple[FaultySandbox, str], sandbox: FaultySandbox, connections: Connections, tmp_path: Path
) -> Examine:
    """Return a function that examines one connection, given by name or as it is."""

    def run(connection: str | Connection, *faults: Fault, patience: float = 20) -> Diagnosis:
        for fault in faults:
            sandbox.faults.push(fault)
        chosen = connections[connection].at(f"{served[1]}/{connection}") if isinstance(connection, str) else connection
        (diagnosis,) = examine([chosen], FileState(tmp_path), patience)
        return diagnosis

    return run


def found(diagnosis: Diagnosis) -> dict[str, ListFinding]:
    return {finding.resource: finding for finding in diagnosis.findings}


def shown(*diagnoses: Diagnosis, width: int = 400) -> str:
    console = Console(width=width, file=StringIO())
    console.print(render_diagnoses(diagnoses))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_every_resource_of_every_system_is_asked_for_a_few_pages(
    served: tuple[FaultySandbox, str], sandbox: FaultySandbox, connections: Connections, tmp_path: Path
) -> None:
    chosen = [connection.at(f"{served[1]}/{name}") for name, connection in connections.items()]
    diagnoses = examine(chosen, FileState(tmp_path))
    for connection, diagnosis in zip(chosen, diagnoses, strict=True):
        resources = connection.system.resources
        assert diagnosis.healthy, shown(diagnosis)
        assert diagnosis.advice == ()
        assert [finding.resource for finding in diagnosis.findings] == [resource.name for resource in resources]
        assert {finding.state for finding in diagnosis.findings} == {"ok"}
        asked = Counter(entry.resource for entry in sandbox.requests if entry.connection == connection.name)
        assert set(asked) == {resource.name for resource in resources}
        assert max(asked.values()) <= 4


@pytest.mark.parametrize(
    ("fault", "sentence", "advice"),
    [
        (Fault("status", status=401), "401 Unauthorized", "The key works for other resources. Grant it access"),
        (Fault("status", status=403), "no permission for this list", "Grant it access to products in the settings of"),
        (Fault("status", status=402), "402 Payment Required", "The subscription does not include products"),
        (Fault("status", status=404), "404 Not Found", "the account may not have products"),
        (Fault("status", status=429), "429 Too Many Requests", "products reached the vendor's rate limit"),
        (Fault("status", status=503), "503 Service Unavailable", None),
        (Fault("html"), "a web page instead of JSON", "the declaration of products in sales_crm.yaml"),
        (
            Fault("list_absent"),
            "has no 'products' (data_selector); it contains:",
            "the declaration of products in sales_crm.yaml",
        ),
        (Fault("scalar"), "the answer has no 'products'", "the declaration of products in sales_crm.yaml"),
        (Fault("truncated"), "is not valid JSON", "the declaration of products in sales_crm.yaml"),
        (Fault("redirect"), "points at another address", None),
        (Fault("reset"), "broke in the middle of an answer", None),
    ],
    ids=lambda given: f"{given.kind}{given.status or ''}" if isinstance(given, Fault) else "",
)
def test_what_is_wrong_with_one_resource_is_said_of_it_alone(
    doctor: Examine, fault: Fault, sentence: str, advice: str | None
) -> None:
    fault.connection, fault.resource = "sales_crm", "products"
    diagnosis = doctor("sales_crm", fault)
    findings = found(diagnosis)
    assert not diagnosis.healthy
    assert {name for name, finding in findings.items() if finding.state == "problem"} == {"products"}
    assert sentence.lower() in findings["products"].sentence.lower()
    assert findings["products"].sentence[0].isupper()
    assert [advice is not None and advice in said for said in diagnosis.advice] == ([True] if advice else [])


@pytest.mark.parametrize(
    ("connection", "fault", "pieces"),
    [
        (
            "sales_crm",
            Fault("status", status=401),
            ["either SOURCES__SALES_CRM__USERNAME", "__PASSWORD is wrong, or"],
        ),
        ("smartreach", Fault("status", status=403), ["SOURCES__SMARTREACH__API_KEY", "params (team_id: 77)"]),
        ("smartreach", Fault("status", status=404), ["No list was found at http", "params (team_id: 77)"]),
        ("syncro", Fault("html"), ["No list was found at http", "params (subdomain: myshop)"]),
        ("sales_engagement", Fault("status", status=402), ["The subscription does not include the API"]),
        ("sales_engagement", Fault("status", status=429), ["The vendor's rate limit is reached: set `rate_limit:`"]),
        ("sales_engagement", Fault("status", status=500), ["No list was read", "SOURCES__SALES_ENGAGEMENT__API_KEY"]),
    ],
)
def test_what_is_wrong_everywhere_is_wrong_with_the_connection(
    doctor: Examine, connection: str, fault: Fault, pieces: list[str]
) -> None:
    diagnosis = doctor(connection, fault)
    assert {finding.state for finding in diagnosis.findings} == {"problem"}
    (advice,) = diagnosis.advice
    assert [piece for piece in pieces if piece not in advice] == []


def test_a_wrong_key_is_told_from_a_right_one(doctor: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__SALES_ENGAGEMENT__API_KEY", "s3cr3t-of-another-account")
    diagnosis = doctor("sales_engagement")
    assert {finding.status for finding in diagnosis.findings} == {401}
    assert "s3cr3t" not in shown(diagnosis)


def test_a_server_that_is_not_there(doctor: Examine, connections: Connections) -> None:
    nowhere = connections["sales_engagement"].at("http://127.0.0.1:1/crm")
    diagnosis = doctor(nowhere)
    assert all("cannot be reached at 127.0.0.1:1" in finding.sentence for finding in diagnosis.findings)
    (advice,) = diagnosis.advice
    assert advice == (
        "Nothing answers at http://127.0.0.1:1/crm: start the sandbox with `crm-assets sandbox`, or check base_url, "
        "the network and any proxy."
    )


def test_a_server_that_does_not_answer_is_not_waited_for(doctor: Examine) -> None:
    hang = Fault("hang", connection="sales_engagement", resource="prospects", seconds=3)
    finding = found(doctor("sales_engagement", hang, patience=0.5))["prospects"]
    assert finding.sentence.startswith("No answer came within 0.5 s")
    assert finding.seconds < 2


@pytest.mark.parametrize(
    ("value", "state"), [(None, "is not set"), ("", "is empty"), ("<key>", "is still a placeholder")]
)
def test_secrets_that_are_none_are_all_named_and_nothing_is_sent(
    doctor: Examine, sandbox: FaultySandbox, monkeypatch: pytest.MonkeyPatch, value: str | None, state: str
) -> None:
    for name in ("USERNAME", "PASSWORD"):
        if value is None:
            monkeypatch.delenv(f"SOURCES__SALES_CRM__{name}")
        else:
            monkeypatch.setenv(f"SOURCES__SALES_CRM__{name}", value)
    diagnosis = doctor("sales_crm")
    assert not diagnosis.healthy
    assert [state in problem for problem in diagnosis.problems] == [True, True]
    assert "SOURCES__SALES_CRM__USERNAME" in diagnosis.problems[0]
    assert "SOURCES__SALES_CRM__PASSWORD" in diagnosis.problems[1]
    assert len(sandbox.requests) == 0
    assert shown(diagnosis).count("problem") == 2


def test_an_example_address_is_said_to_be_one(
    doctor: Examine, sandbox: FaultySandbox, connections: Connections
) -> None:
    diagnosis = doctor(connections["sales_crm"])
    assert "still points at the example address" in diagnosis.problems[0]
    assert diagnosis.findings == ()
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("fault", [Fault("status", status=403), Fault("empty_page")], ids=["unread", "empty"])
def test_children_of_a_parent_without_rows_are_not_asked(doctor: Examine, sandbox: FaultySandbox, fault: Fault) -> None:
    fault.connection, fault.resource = "visitor_analytics", "accounts"
    diagnosis = doctor("visitor_analytics", fault)
    children = [found(diagnosis)[name] for name in ("leads", "visits")]
    assert {child.state for child in children} == {"not asked"}
    why = "could not be read" if fault.kind == "status" else "has no rows"
    assert {child.sentence for child in children} == {f"It is read for the rows of accounts, which {why}"}
    assert diagnosis.healthy is (fault.kind == "empty_page")
    assert {entry.resource for entry in sandbox.requests} == {"accounts"}


def test_a_connection_that_breaks_once_is_no_problem(doctor: Examine) -> None:
    assert doctor("sales_engagement", Fault("reset", times=1)).healthy


def test_what_does_not_fit_is_a_problem_and_what_is_rejected_a_doubt(doctor: Examine) -> None:
    diagnosis = doctor(
        "sales_engagement",
        Fault("unknown_field", resource="campaigns", field="mood", value=1),
        Fault("wrong_type", resource="campaigns", field="created_at", value="soon"),
        Fault("null_id", resource="prospects"),
    )
    findings = found(diagnosis)
    assert not diagnosis.healthy
    assert findings["campaigns"].state == "problem"
    assert findings["campaigns"].sentence.endswith(
        "; values of another type than declared: created_at; undeclared fields: mood"
    )
    assert findings["prospects"].state == "doubt"
    assert "2 rejected: " in findings["prospects"].sentence
    assert "does not match the declaration of campaigns" in diagnosis.advice[0]


def test_the_table_has_a_line_per_resource_and_says_the_same_thing_once(doctor: Examine) -> None:
    text = shown(doctor("sales_crm", Fault("status", status=401)), width=100)
    assert text.startswith("sales_crm\n")
    assert text.count("problem  ") == 5
    assert text.count("the same") == 4
    assert text.count("→") == 1


def test_how_it_looks(doctor: Examine, snapshot: SnapshotAssertion) -> None:
    faults = (
        Fault("status", resource="accounts", status=403),
        Fault("html", resource="events"),
        Fault("unknown_field", resource="contacts", field="mood"),
        Fault("list_absent", resource="pipelines"),
    )
    assert shown(doctor("sales_crm", *faults), width=120) == snapshot


def test_no_secret_is_shown(doctor: Examine, connections: Connections) -> None:
    text = shown(doctor("sales_crm", Fault("status", status=401)), doctor("nutshell"))
    secrets = [value for name in ("sales_crm", "nutshell") for value in sandbox_secrets(connections[name]).values()]
    assert [secret for secret in secrets if secret in text] == []


@pytest.mark.parametrize(
    ("destination", "explained"),
    [
        ("postgres", r"postgres cannot be opened: .*Check DESTINATION__POSTGRES__CREDENTIALS=.*server can be reached"),
        ("postgrez", "'postgrez', and dlt has no destination of this name"),
    ],
)
def test_a_warehouse_that_cannot_be_opened_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, destination: str, explained: str
) -> None:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", "postgresql://loader:hidden@127.0.0.1:9/crm")
    (diagnosis,) = warehouse_problems(Warehouse(tmp_path, destination))
    assert not diagnosis.healthy
    assert re.search(explained, shown(diagnosis))
    assert "hidden" not in shown(diagnosis)


def test_a_warehouse_that_is_yet_to_be_made_is_not_made(tmp_path: Path) -> None:
    assert warehouse_problems(Warehouse(tmp_path)) == []
    assert not Warehouse(tmp_path).exists


def test_a_file_that_is_no_warehouse_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "warehouse.duckdb").write_text("not a database " * 2000)
    (diagnosis,) = warehouse_problems(Warehouse(tmp_path))
    assert "cannot be opened" in diagnosis.problems[0]
