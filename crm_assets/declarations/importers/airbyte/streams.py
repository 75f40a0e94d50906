"""Streams of a manifest made into resources."""

from __future__ import annotations

from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.airbyte.errors import errors
from crm_assets.declarations.importers.airbyte.exports import as_simple
from crm_assets.declarations.importers.airbyte.expressions import Named, NoCounterpartError, named
from crm_assets.declarations.importers.airbyte.fields import Fields
from crm_assets.declarations.importers.airbyte.filters import record_filter
from crm_assets.declarations.importers.airbyte.increments import Increment
from crm_assets.declarations.importers.airbyte.paging import paginator
from crm_assets.declarations.importers.airbyte.partitions import Partitions, partitions
from crm_assets.declarations.importers.airbyte.settings import ManifestSettings
from crm_assets.declarations.importers.airbyte.templates import Templates
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.importers.own_names import short_table
from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.models.base import placeholders
from crm_assets.declarations.models.incremental import END_VALUE, START_VALUE
from crm_assets.declarations.spellings.names import snake_case

_WITHOUT_COUNTERPART = ("CustomRetriever", "CustomRequester")
_DECODERS = {"XmlDecoder": "xml", "CsvDecoder": "csv", "JsonlDecoder": "jsonl"}
_CREDENTIALS = ("authorization", "proxy-authorization", "cookie")


def stream_name(given: Document) -> str:
    """Return the name of a stream's table."""
    return short_table(snake_case(str(given.get("name"))).lstrip("_"))


class Stream:
    """One stream while it is turned.

    Args:
        given: Its document in the manifest.
        settings: The manifest's settings.
        notes: Takes what is assumed or lost.
    """

    def __init__(self, given: Document, settings: ManifestSettings, notes: Notes) -> None:
        self.name = stream_name(given)
        self._given = given
        self._settings = settings
        self._notes = notes
        retriever, self._job = as_simple(given.get("retriever") or {})
        self._retriever = retriever
        self._requester: Document = retriever.get("requester") or {}
        self.increment = Increment(given.get("incremental_sync"))
        self.partitions: Partitions = partitions(retriever.get("partition_router"), settings)
        self.resource: Document = {"name": self.name}
        self._templates = Templates(self.name, settings, self.partitions, self.increment, notes)
        self.further_auth: list[Document] = []
        """Secrets among its headers and parameters."""

    @property
    def authenticator(self) -> Any:
        """How its requests prove who asks."""
        return self._requester.get("authenticator")

    @property
    def url(self) -> str:
        """Address of the list, a template of the declaration."""
        base = str(self._requester.get("url_base") or self._requester.get("url") or "").strip()
        found = named(base)
        if isinstance(found, Named) and str(found.default).startswith("http"):
            self._notes.add("assumed", f"the address is {found.default}; base_url of a connection overrides it")
            base = str(found.default)
        path = str(self._requester.get("path") or "").strip()
        base = self._base(base, alone=not path)
        address = f"{base.rstrip('/')}/{self._templates.text(path).lstrip('/')}" if path else base
        for name in self._templates.secrets.intersection(placeholders(address)):
            self._notes.add(
                "assumed", f"{name} is a secret of the manifest; it is part of the address, so it is a parameter"
            )
            self._settings.params.setdefault(name, {"description": f"The setting {name}"})
        return address

    def _base(self, given: str, *, alone: bool) -> str:
        """Return the address that paths are below; one that is computed has to come from the connection."""
        try:
            return self._templates.text(given)
        except NoCounterpartError:
            if alone:
                raise
        what = f"the address is computed ({' '.join(given.split())[:90]}): set base_url of the connection"
        self._notes.add("assumed", what)
        return "https://api.example.com"

    def build(self) -> Document:
        """Return the resource, without its path.

        Raises:
            NoCounterpartError: It has no counterpart.
        """
        self._refuse_code()
        endpoint = self._endpoint()
        self._fields = Fields(self.name, self._given, self._templates, self._notes)
        self.resource |= {"columns": self._fields.columns, "endpoint": endpoint, "primary_key": self._fields.key()}
        if self._fields.schema is None:
            self.resource["undeclared_fields"] = "columns"
        self._increment(endpoint)
        if self.partitions.fixed:
            self.resource["for_each"] = self.partitions.fixed
        return self.resource

    def column(self, path: str) -> str:
        """Return the column for a path of a record, or for a placeholder; one is added where there is none."""
        return self._fields.column(path)

    def _refuse_code(self) -> None:
        kinds = [self._retriever.get("type"), self._requester.get("type"), self._given.get("type")]
        extractor = (self._retriever.get("record_selector") or {}).get("extractor") or {}
        if str(extractor.get("type")).startswith("Custom") and extractor.get("field_path"):
            path = ".".join(map(str, extractor["field_path"]))
            self._notes.add("lost", f"custom code extracts the records; here they are those at {path}", self.name)
        else:
            kinds.append(extractor.get("type"))
        for kind in kinds:
            if kind in _WITHOUT_COUNTERPART or str(kind).startswith("Custom"):
                raise NoCounterpartError(f"{kind} has no counterpart")

    def _endpoint(self) -> Document:
        method = str(self._requester.get("http_method", "GET")).upper()
        if method not in ("GET", "POST"):
            raise NoCounterpartError(f"requests with {method} have no counterpart")
        endpoint: Document = {"method": "POST"} if method == "POST" else {}
        params = self._without_secrets(self._templates.sent(self._requester.get("request_parameters")), "query")
        body = self._body()
        for option, value in self.partitions.options:
            self._inject(option, value, params, body)
        selector = self._selector(endpoint)
        page, loss = paginator(self._retriever.get("paginator"), selector, params)
        if loss:
            self._notes.add("lost", loss, self.name)
        headers = self._headers()
        found, losses, assumed = errors(self._requester.get("error_handler"))
        for text in losses:
            self._notes.add("lost", text, self.name)
        for text in assumed:
            self._notes.add("assumed", text, self.name)
        if page == {"type": "auto"}:
            self._notes.add("assumed", "it does not say where the page goes: paging is detected", self.name)
        if page.get("location") == "json":
            endpoint["method"] = method
        endpoint |= {"data_selector": selector, "paginator": page, **found}
        if self._job:
            what = "its file may be at another host, to be named under file_hosts; several files of one job are refused"
            self._notes.add("assumed", what, self.name)
            endpoint["export_job"] = self._job
        if decoder := self._decoder(self._retriever.get("decoder") or {}):
            endpoint["decoder"] = decoder
        if headers:
            endpoint["headers"] = headers
        if params:
            endpoint["params"] = params
        if body:
            endpoint["json"] = body
        return endpoint

    def _decoder(self, given: Document) -> Document:
        kind = given.get("type", "JsonDecoder")
        if kind in ("GzipDecoder", "CompositeRawDecoder"):
            return self._decoder(given.get("decoder") or given.get("parser") or {})
        if kind in _DECODERS:
            delimiter = {"delimiter": given["delimiter"]} if given.get("delimiter") else {}
            return {"type": _DECODERS[kind], **delimiter}
        if kind not in ("JsonDecoder", "JsonParser"):
            raise NoCounterpartError(f"answers for the {kind} have no counterpart")
        return {}

    def _selector(self, endpoint: Document) -> str:
        selector = self._retriever.get("record_selector") or {}
        self._filter(selector.get("record_filter"), endpoint)
        path = [self._templates.text(str(part)) for part in (selector.get("extractor") or {}).get("field_path") or []]
        if len(path) > 2 and path[-2] == "*":
            endpoint["unwrap"] = path[-1]
            path = path[:-1]
        if path and path[-1] == "*" and len(path) > 1:
            path = path[:-1]
        return path_text(tuple(path))

    def _filter(self, given: Any, endpoint: Document) -> None:
        if not given:
            return
        text = str(given.get("condition") or "custom code")
        found = record_filter(text)
        if found is None:
            self._notes.add("lost", f"records are filtered by {text.strip()[:100]}; all are read", self.name)
        elif found:
            endpoint["record_filter"] = found

    def _body(self) -> Document:
        given = self._requester.get("request_body") or {}
        kind = given.get("type")
        if self._requester.get("request_body_data") or kind in ("RequestBodyUrlEncodedForm", "RequestBodyPlainText"):
            raise NoCounterpartError("a body that is not JSON has no counterpart")
        body = self._requester.get("request_body_json") or (given.get("value") if kind else None)
        if isinstance(body, str):
            raise NoCounterpartError("a body made by a template has no counterpart")
        return self._templates.sent(body)

    def _headers(self) -> Document:
        headers = self._templates.sent(self._requester.get("request_headers"))
        kept = {name: str(value) for name, value in headers.items() if name.lower() not in ("accept", "content-type")}
        return self._without_secrets(kept, "header")

    def _without_secrets(self, given: Document, place: str) -> Document:
        """Return what is left of headers or parameters when the secrets among them are part of the log-in."""
        kept: Document = {}
        for name, value in given.items():
            names = placeholders(value) if isinstance(value, str) else []
            found = [each for each in names if each in self._templates.secrets]
            if not found and not (place == "header" and name.lower() in _CREDENTIALS and placeholders(value)):
                kept[name] = value
                continue
            secret = (found or placeholders(value))[0]
            self._settings.params.pop(secret, None)
            shown = {} if value == f"{{{secret}}}" else {"value": value}
            self.further_auth.append({"type": "api_key", "name": name, "api_key": secret, "location": place, **shown})
        return kept

    def _inject(self, option: Document, value: str, params: Document, body: Document) -> None:
        name = option.get("field_name") or ".".join(map(str, option.get("field_path") or []))
        match option.get("inject_into"):
            case "request_parameter":
                params[name] = value
            case "body_json":
                body[name] = value
            case place:
                raise NoCounterpartError(f"a parent's key in {place} has no counterpart")

    def _increment(self, endpoint: Document) -> None:
        params, body = self.increment.bounds()
        own = {key: value for key, value in (endpoint.get("params") or {}).items() if _bounded(value)}
        inner = {key: value for key, value in (endpoint.get("json") or {}).items() if _bounded(value)}
        for key, moved in (("params", own), ("json", inner)):
            rest = {name: value for name, value in (endpoint.get(key) or {}).items() if name not in moved}
            endpoint.pop(key, None)
            endpoint |= {key: rest} if rest else {}
        params, body = {**own, **params}, {**inner, **body}
        for text in self.increment.losses:
            self._notes.add("lost", text, self.name)
        if not params and not body:
            return
        if "start_value" not in str((params, body)):
            self._notes.add("lost", "a bound of time is sent without a start", self.name)
            return
        path = path_text(tuple(str(self.increment.given.get("cursor_field")).split(".")))
        try:
            field = self._fields.column(path, "timestamp")
        except NoCounterpartError as error:
            self._notes.add("lost", f"{error}: the list is read in full", self.name)
            return
        column = self.resource["columns"][field]
        if column["type"] in ("bigint", "double") and self.increment.format.startswith("epoch"):
            column |= {"type": "timestamp", "format": self.increment.format}
        elif column["type"] not in ("timestamp", "date"):
            column["type"] = "timestamp"
        self.resource["incremental"] = self.increment.document(field, params, body)
        for text in self.increment.notes:
            self._notes.add("assumed", text, self.name)


def _bounded(value: Any) -> bool:
    return START_VALUE in str(value) or END_VALUE in str(value)
