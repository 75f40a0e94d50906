"""Own declarations that use every paginator, place of parameters, credential and filter of the dialect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import yaml

from crm_assets.declarations import Connection, load_connections
from crm_assets_tests.faults import FaultySandbox, serve
from crm_assets_tests.sandbox.reader import Reader

TODAY = date(2026, 3, 31)
START = date(2026, 1, 1)

SYSTEMS = {
    "shop": """
client:
  base_url: https://shop.test/api
  auth: {type: basic}
  params: {account: "{account}"}
params: {account: {description: Number of the account, default: "7"}}
resource_defaults: {primary_key: id}
resources:
  - name: companies
    endpoint:
      path: /companies
      data_selector: companies
      paginator: {type: page_number, page_param: "page[page]", limit_param: "page[limit]", limit: 10,
                  start_from_page: 0, end: empty_page, total_records_path: meta.total}
    columns:
      id: {type: text, nullable: false, examples: [15-companies]}
      name: {type: text, description: Name of the company}
      note: {type: text, pii: text}
  - name: people
    endpoint:
      path: people
      data_selector: [data, people]
      unwrap: person
      paginator: {type: offset, limit_param: limit, limit: 7, end: has_more, has_more_path: meta.more}
    columns:
      id: {type: bigint, nullable: false}
      company_id: {type: text, source: links.company.id, references: companies}
      links: {type: json}
      email: {type: text, pii: email, source: contact.mail.0.text}
      first_name: {type: text, pii: name, source: "Given Name"}
      last_name: {type: text, pii: name}
      balance: {type: decimal}
      weight: double
      active: bool
      born: {type: date}
      created_at: {type: timestamp, format: epoch_s}
      updated_at: {type: timestamp, format: epoch_ms}
  - name: orders
    endpoint:
      path: /orders
      data_selector: $
      paginator: {type: page_number, end: empty_page}
    columns: &order
      id: {type: bigint, nullable: false}
      person_id: {type: bigint, references: people}
      status: {type: text, examples: [open, paid, sent]}
      total: {type: decimal, nullable: false}
      created_at: {type: timestamp, nullable: false}
  - name: links
    endpoint:
      path: /links
      data_selector: data
      paginator: {type: json_link, next_url_path: links.next, limit_param: size, limit: 9}
    columns: *order
  - name: feed
    endpoint:
      path: /feed
      data_selector: events
      paginator: {type: cursor, cursor_path: meta.last, cursor_param: max_id, limit_param: limit, limit: 8,
                  overlap: true}
    columns:
      id: {type: text, nullable: false, examples: [163-events]}
      created_time: {type: timestamp, format: epoch_s}
  - name: log
    endpoint:
      path: /
      method: POST
      json: {Function: GetLog, Parameters: {Sort: asc}}
      data_selector: "[*].Entries[*]"
      paginator: {type: page_number, location: json, page_param: Parameters.Page, limit_param: Parameters.Max,
                  limit: 12, end: empty_page}
    columns:
      id: {type: text, nullable: false, examples: ["4073197535330103116606750064146"]}
      text: {type: text, pii: text}
  - name: journal
    endpoint:
      path: /
      method: POST
      json: {Function: GetJournal}
      data_selector: Results.*
      paginator: {type: cursor, location: json, cursor_path: Next, cursor_param: Parameters.Cursor}
    columns: *order
  - name: tags
    endpoint: {path: /tags, data_selector: tags, paginator: single_page}
    columns:
      id: {type: bigint, nullable: false, examples: [100]}
      name: {type: text, examples: [red, green]}
  - name: tickets
    endpoint:
      path: /tickets
      data_selector: tickets
      paginator: {type: page_number, end: total_pages, total_pages_path: meta.total_pages}
    columns: *order
""",
    "tracker": """
client:
  base_url: https://tracker.test
  auth: {type: api_key, api_key: api_token, value: "Token token={api_token}"}
resource_defaults: {primary_key: id}
resources:
  - name: sites
    endpoint: {path: /v1/sites, data_selector: data, paginator: single_page}
    columns:
      id: {type: text, nullable: false}
      name: {type: text, source: attributes.name}
  - name: leads
    primary_key: [site_id, id, last_seen]
    endpoint:
      path: /v1/sites/{site_id}/leads
      data_selector: data
      paginator: {type: page_number, page_param: "page[number]", limit_param: "page[size]", limit: 5, end: short_page}
      include: {path: included, on: relationships.location.data.id, field: location, type: locations}
    window: {field: last_seen, params: {start_date: "{window_start}", end_date: "{window_end}"}, per_partition: true}
    columns:
      site_id: {type: text, source: "{site_id}"}
      id: {type: text, nullable: false}
      first_seen: {type: date, source: attributes.first_seen}
      last_seen: {type: date, nullable: false, source: attributes.last_seen}
      city: {type: text, source: location.attributes.city}
      country: {type: text, source: location.attributes.country}
      relationships: json
      place_id: {type: text, source: relationships.location.data.id}
  - name: visits
    endpoint:
      path: /v1/sites/{site_id}/visits
      data_selector: data
      paginator: {type: page_number, page_param: "page[number]", limit_param: "page[size]", limit: 20, end: short_page}
    window: {field: day, params: {start_date: "{window_start}", end_date: "{window_end}"}}
    columns:
      site_id: {type: text, source: "{site_id}"}
      id: {type: text, nullable: false}
      lead_id: {type: text, references: leads.id}
      day: {type: date, nullable: false}
      started_at: {type: timestamp, nullable: false}
  - name: tasks
    endpoint:
      path: /tasks
      method: POST
      json: {Parameters: {Sort: up, Start: "1970-01-01", End: "2199-12-31"}}
      params: {all: true}
      data_selector: Results
      paginator: {type: page_number, location: json, page_param: Parameters.Page, end: empty_page}
    window:
      field: due_date
      json: {Parameters: {Start: "{window_start}", End: "{window_end}"}}
      include_undated: true
    columns:
      id: {type: bigint, nullable: false}
      due_date: date
      date_created: {type: timestamp, nullable: false}
""",
    "desk": """
client:
  base_url: https://desk.test
  auth: {type: api_key, name: key, location: query}
resource_defaults:
  primary_key: id
  endpoint:
    data_selector: rows
    paginator: {type: page_number, end: empty_page}
resources:
  - name: changes
    endpoint: {path: /changes}
    cursor: {field: updated_at, params: {"filter[updated]": "after {incremental.start_value}"}, format: iso}
    columns: &dated
      id: {type: bigint, nullable: false}
      status: {type: text, nullable: false, examples: [new, open, done]}
      created_at: {type: timestamp, nullable: false}
      updated_at: {type: timestamp, nullable: false}
  - name: seconds
    endpoint: {path: /seconds, method: POST, json: {Kind: all}}
    cursor: {field: updated_at, json: {Filters: [{Name: Updated, Value: "{incremental.start_value}"}]}, format: epoch_s}
    columns: *dated
  - name: spans
    endpoint: {path: /spans}
    window:
      field: starts_at
      params: {"filter[time]": "{window_start} TO {window_end}"}
      format: iso
      end: exclusive
    columns:
      id: {type: bigint, nullable: false}
      starts_at: {type: timestamp, nullable: false}
      ends_at: timestamp
  - name: deep
    endpoint: {path: /deep}
    window: {field: day, params: {from: "{window_start}", to: "{window_end}"}, max_rows: 60}
    columns:
      id: {type: bigint, nullable: false}
      day: {type: date, nullable: false}
""",
    "plain": """
client:
  base_url: https://plain.test
  auth: {type: bearer}
resources:
  - name: things
    primary_key: id
    endpoint: {path: /things, data_selector: data, paginator: {type: page_number, end: empty_page}}
    columns:
      id: {type: bigint, nullable: false}
      name: text
""",
}
CONNECTIONS = [
    {"name": "shop", "system": "shop"},
    {"name": "tracker", "system": "tracker", "timezone": "America/Chicago"},
    {"name": "desk", "system": "desk", "timezone": "Europe/Berlin"},
    {"name": "plain", "system": "plain"},
]


@pytest.fixture(scope="session")
def connections(tmp_path_factory: pytest.TempPathFactory) -> tuple[Connection, ...]:
    return load_own(tmp_path_factory.mktemp("own"))


def load_own(folder: Path, sandbox_url: str | None = None) -> tuple[Connection, ...]:
    (folder / "systems").mkdir()
    for name, text in SYSTEMS.items():
        (folder / "systems" / f"{name}.yaml").write_text(text)
    path = folder / "connections.yaml"
    path.write_text(yaml.safe_dump({"systems": "systems", "connections": CONNECTIONS}))
    return load_connections(path, sandbox_url=sandbox_url)


class World:
    """A served sandbox and readers of its lists."""

    def __init__(self, sandbox: FaultySandbox, base_url: str) -> None:
        self.sandbox, self.base_url = sandbox, base_url

    def connection(self, name: str) -> Connection:
        return self.sandbox.connections[name]

    def reader(self, connection: str, resource: str, filtered: bool = False, **given: object) -> Reader:
        here = self.connection(connection)
        return Reader(self.base_url, here, here.system.resource(resource), given, filtered)


@pytest.fixture(scope="session")
def _served(connections: tuple[Connection, ...]) -> Iterator[World]:
    sandbox = FaultySandbox(connections, start=START, today=TODAY)
    with serve(sandbox) as base_url:
        yield World(sandbox, base_url)


@pytest.fixture
def world(_served: World) -> Iterator[World]:
    """The shared sandbox, put back in order after each test."""
    yield _served
    _served.sandbox.reset()
