"""A plain reader of sandbox lists, written against the declarations and independent of the package's own engine."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from crm_assets.declarations import Column, ColumnType, Connection, Resource
from crm_assets.declarations.json_path import dig, parse_path
from crm_assets.declarations.models.base import deep_merge, fill, fill_url
from crm_assets.declarations.models.simple_auth import ApiKeyAuth, BasicAuth
from crm_assets.sandbox import sandbox_secrets


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


def send(url: str, method: str = "GET", headers: dict[str, str] | None = None, body: Any = None) -> Answer:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return Answer(response.status, dict(response.headers), response.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read().decode())


def credentials(connection: Connection) -> tuple[dict[str, str], dict[str, str]]:
    """Headers and query parameters that prove who asks."""
    auth, secrets = connection.system.client.auth, sandbox_secrets(connection)
    if isinstance(auth, ApiKeyAuth):
        value = str(fill(auth.value or secrets[auth.api_key], dict(secrets)))
        return ({auth.name: value}, {}) if auth.location == "header" else ({}, {auth.name: value})
    if isinstance(auth, BasicAuth):
        pair = f"{secrets[auth.username]}:{secrets[auth.password]}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}, {}
    return {"Authorization": f"Bearer {secrets[auth.token]}"}, {}


@dataclass
class Reader:
    """Reads one list; ``given`` fills the placeholders of the declared templates."""

    base_url: str
    connection: Connection
    resource: Resource
    given: dict[str, Any] = field(default_factory=dict)
    filtered: bool = False
    included: list[Any] = field(default_factory=list)

    def ask(self, params: dict[str, Any] | None = None, body_values: dict[str, Any] | None = None) -> Answer:
        endpoint, part = self.resource.endpoint, self.resource.window or self.resource.incremental
        headers, query = credentials(self.connection)
        query |= {**self.connection.system.client.params, **endpoint.params}
        body: Any = endpoint.json_body
        if self.filtered and part:
            query, body = query | part.params, deep_merge(body or {}, part.json_body or {}) if part.json_body else body
        query, body = fill(query, self.given), fill(body, self.given)
        query.update(params or {})
        for path, value in (body_values or {}).items():
            body = _put(json.loads(json.dumps(body or {})), parse_path(path), value)
        path = fill_url(endpoint.path, self.given).strip("/")
        url = f"{self.base_url}/{self.connection.name}/{path}?{urllib.parse.urlencode(query, doseq=True)}"
        return send(url, endpoint.method, headers, body)

    def page(self, **values: Any) -> Answer:
        """Ask with paging values, put where the paginator wants them."""
        paginator = self.resource.endpoint.paginator
        if getattr(paginator, "limit", None):
            values.setdefault(paginator.limit_param, paginator.limit)
        return self.ask(None, values) if getattr(paginator, "location", "") == "json" else self.ask(values)

    def records(self, answer: Answer) -> list[Any]:
        assert answer.status == 200, answer.text
        include = self.resource.endpoint.include
        if include:
            self.included += dig(answer.body, include.path) or []
        found = _walk([answer.body], self.resource.endpoint.data_selector)
        records = [one for each in found for one in (each if isinstance(each, list) else [each])]
        unwrap = self.resource.endpoint.unwrap
        return [record[unwrap] if unwrap else record for record in records]

    def pages(self) -> list[list[Any]]:
        """Walk the whole list, page by page."""
        paginator = self.resource.endpoint.paginator
        walk = getattr(self, f"_{paginator.type}")
        return list(walk(paginator))

    def all(self) -> list[Any]:
        return [record for page in self.pages() for record in page]

    def rows(self) -> list[dict[str, Any]]:
        """Walk the whole list and decode it."""
        return [decode(self.resource, record, self.given, self.included) for record in self.all()]

    def _single_page(self, _: Any) -> Any:
        yield self.records(self.ask())

    def _page_number(self, paginator: Any) -> Any:
        number = paginator.start_from_page
        while page := self.records(self.page(**{paginator.page_param: number})):
            yield page
            number += 1

    def _offset(self, paginator: Any) -> Any:
        offset = paginator.start_offset
        while page := self.records(self.page(**{paginator.offset_param: offset})):
            yield page
            offset += len(page)

    def _json_link(self, paginator: Any) -> Any:
        answer = self.page()
        yield self.records(answer)
        while link := dig(answer.body, paginator.next_url_path):
            answer = send(link, headers=credentials(self.connection)[0])
            yield self.records(answer)

    def _cursor(self, paginator: Any) -> Any:
        values: dict[str, Any] = {}
        seen: list[Any] = []
        while True:
            answer = self.page(**values)
            new = [record for record in self.records(answer) if record not in seen]
            cursor = dig(answer.body, paginator.cursor_path)
            if new:
                yield new
            if cursor is None or not new:
                return
            seen += new
            values = {paginator.cursor_param: cursor}


def _walk(found: list[Any], path: tuple[str, ...]) -> list[Any]:
    for segment in path:
        if segment != "*":
            found = [each[segment] for each in found if isinstance(each, dict) and segment in each]
        else:
            found = [one for each in found for one in (each.values() if isinstance(each, dict) else each)]
    return found


def _put(body: Any, path: tuple[str, ...], value: Any) -> Any:
    here = body
    for segment in path[:-1]:
        here = here.setdefault(segment, {})
    here[path[-1]] = value
    return body


def decode(
    resource: Resource, record: dict[str, Any], given: dict[str, Any], included: Sequence[Any] = ()
) -> dict[str, Any]:
    """A record as a row in the declared types."""
    include = resource.endpoint.include
    if include:
        companions = {companion["id"]: companion for companion in included}
        record = {**record, include.field: companions.get(dig(record, include.on))}
    return {name: _value(name, column, record, given) for name, column in resource.columns.items()}


def _value(name: str, column: Column, record: dict[str, Any], given: dict[str, Any]) -> Any:
    if column.placeholder:
        return given.get(column.placeholder)
    value = dig(record, column.wire_path(name))
    return None if value is None else _DECODERS.get((column.type, column.format), _same)(value)


def _same(value: Any) -> Any:
    return value


def _timestamp(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DECODERS: dict[Any, Any] = {
    (ColumnType.TIMESTAMP, "iso"): _timestamp,
    (ColumnType.TIMESTAMP, "epoch_s"): lambda value: _EPOCH + timedelta(seconds=value),
    (ColumnType.TIMESTAMP, "epoch_ms"): lambda value: _EPOCH + timedelta(milliseconds=value),
    (ColumnType.DATE, "iso"): date.fromisoformat,
    (ColumnType.DECIMAL, "iso"): Decimal,
}
