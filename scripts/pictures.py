"""Take the pictures of the README: a sandbox is read on four days, the last one badly, and looked at in a browser.

``docs/images/shown.json`` says of which definitions and templates they are; a test compares it with what there is now.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from crm_assets.declarations.connections import load_connections  # noqa: E402
from crm_assets.orchestration.build import connection_definitions  # noqa: E402
from crm_assets.sandbox import sandbox_environment  # noqa: E402
from crm_assets.warehouse.warehouse import Warehouse  # noqa: E402
from crm_assets_tests.faults import Fault, FaultySandbox, serve  # noqa: E402
from crm_assets_tests.ui.browser import Browser, browser  # noqa: E402

BIN = Path(sys.executable).parent
IMAGES = ROOT / "docs" / "images"
SHOWN = IMAGES / "shown.json"
ACCOUNTS = ("sales_crm", "sales_engagement", "visitor_analytics")
DAYS = 4
SETTLED = 5
"""Seconds until what follows the text that is waited for is drawn, too."""


def main() -> None:
    """Read, look, and write pictures."""
    with tempfile.TemporaryDirectory(prefix="pictures-") as name:
        folder = Path(name)
        accounts = _accounts(folder)
        sandbox = FaultySandbox(load_connections(accounts), rows=200)
        with serve(sandbox) as address:
            environment = _environment(accounts, sandbox_environment(load_connections(accounts), address))
            for day in range(DAYS):
                sandbox.state = day
                if day == DAYS - 1:
                    sandbox.faults.push(*_faults())
                subprocess.run([BIN / "crm-assets", "sync"], env=environment, check=day < DAYS - 1)
            report = [str(BIN / "crm-assets"), "report", "--output", str(folder / "report.html")]
            subprocess.run(report, env=environment, check=False)
            with _interface(environment, folder) as url, browser() as window:
                _take(window, url, folder / "report.html")
    SHOWN.write_text(json.dumps(shown(), indent=2) + "\n", encoding="utf-8")


def shown() -> dict[str, str]:
    """Return fingerprints of what the pictures show: assets with their checks, and the report's templates."""
    with tempfile.TemporaryDirectory() as folder:
        connections = load_connections(_accounts(Path(folder)))
    graph = connection_definitions(connections, Warehouse(Path("data"))).resolve_asset_graph()
    nodes = [graph.get(key) for key in sorted(graph.get_all_asset_keys(), key=lambda key: tuple(key.path))]
    facts = [
        [node.key.path, node.group_name, sorted(node.kinds), sorted(list(key.path) for key in node.parent_keys)]
        + [[check.name, graph.get_check_spec(check).description] for check in sorted(node.check_keys)]
        for node in nodes
    ]
    templates = sorted((ROOT / "crm_assets" / "orchestration" / "report" / "templates").iterdir())
    return {
        "assets": _hash(json.dumps(facts)),
        "report": _hash("".join(path.read_text(encoding="utf-8") for path in templates)),
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _accounts(folder: Path) -> Path:
    path, start = folder / "connections.yaml", datetime.now(timezone.utc).date() - timedelta(days=DAYS)
    entries = [{"name": name, "system": name, "start_date": start} for name in ACCOUNTS]
    path.write_text(yaml.safe_dump({"connections": entries}), encoding="utf-8")
    return path


def _faults() -> list[Fault]:
    return [
        Fault("truncated", connection="sales_crm", resource="products"),
        Fault("status", connection="sales_crm", resource="contacts", status=403),
    ]


def _environment(accounts: Path, secrets: dict[str, str]) -> dict[str, str]:
    home = accounts.parent / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\nnux: {enabled: false}\n")
    own = {"CRM_ASSETS_CONNECTIONS": accounts, "CRM_ASSETS_DATA": accounts.parent / "data", "DAGSTER_HOME": home}
    return os.environ | secrets | {name: str(path) for name, path in own.items()} | {"PYTHONWARNINGS": "ignore"}


@contextmanager
def _interface(environment: dict[str, str], folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [str(BIN / "dagster-webserver"), "-h", "127.0.0.1", "-p", str(port), "-m", "crm_assets.definitions"]
    with (folder / "webserver.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 120
            while socket.socket().connect_ex(("127.0.0.1", port)) and time.monotonic() < deadline:
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _take(window: Browser, url: str, report: Path) -> None:
    group = f"{url}/locations/crm_assets.definitions/asset-groups/visitor_analytics/lineage"
    pictures = {
        "report": (f"file://{report}", "to look at", 950, 900),
        "lineage": (group, " Passed", 1500, 700),
        "check": (f"{url}/assets/sales_crm/products?view=checks&checkDetail=completeness", "vanished_rows", 1250, 800),
        "table": (f"{url}/assets/sales_crm/accounts?view=overview", "Companies and other organizations", 1250, 850),
    }
    for name, (address, text, width, height) in pictures.items():
        window.resize(width, height, scale=0.9)
        window.look_at(address, text)
        time.sleep(SETTLED)
        window.picture(IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
