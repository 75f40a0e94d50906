"""A folder with declarations and a connections file, as a user has it."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

from crm_assets.declarations import Connection, System, load_connections, load_system

CRM = """
client:
  base_url: https://api.mycrm.test/v1
  auth: {type: bearer, token: 'dlt.secrets["token"]'}
resource_defaults:
  primary_key: id
  endpoint:
    data_selector: data
    error_handler: {max_retries: 2, backoff_factor: 2}
resources:
  - name: accounts
    endpoint:
      path: /accounts
      paginator: {type: page_number, page_param: page, end: empty_page}
    columns:
      id: {type: bigint, nullable: false}
      name: {type: text, description: Name of the account}
      created_at: timestamp
  - name: leads
    endpoint:
      path: /accounts/{account_id}/leads
      paginator: single_page
    columns:
      id: {type: bigint, nullable: false}
      account_id: {type: bigint, source: "{account_id}"}
"""


def without_lines(error: BaseException) -> str:
    """Return an error's text without the line numbers, which depend on how a test writes its files."""
    return re.sub(r"\.yaml:\d+", ".yaml", str(error))


class Desk:
    """Writes declarations into a folder and loads them the way the package does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "systems").mkdir()

    def declare(self, name: str = "crm", text: str = CRM, **changes: Any) -> None:
        """Write a system file; ``resources__0__endpoint__path="/x"`` changes that place, ``...`` removes it."""
        document = yaml.safe_load(dedent(text))
        for place, value in changes.items():
            *above, last = [int(part) if part.isdigit() else part for part in place.split("__")]
            here = document
            for part in above:
                here = here.setdefault(part, {}) if isinstance(here, dict) else here[part]
            if value is ...:
                del here[last]
            else:
                here[last] = value
        self.write(f"systems/{name}.yaml", yaml.safe_dump(document, sort_keys=False))

    def write(self, path: str, text: str) -> Path:
        """Write any file of the folder."""
        (self.folder / path).write_text(dedent(text), encoding="utf-8")
        return self.folder / path

    def system(self, name: str = "crm") -> System:
        """Load a system of the folder."""
        return load_system(name, self.folder / "systems")

    def connect(self, *entries: dict[str, Any]) -> tuple[Connection, ...]:
        """Write the connections file and load it."""
        document = {"systems": "systems", "connections": list(entries)}
        return load_connections(self.write("connections.yaml", yaml.safe_dump(document)))

    def connection(self, **entry: Any) -> Connection:
        """Load one connection, by default one to ``crm``."""
        return self.connect({"name": "mine", "system": "crm", **entry})[0]
