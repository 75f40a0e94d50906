"""Streams of a manifest made into resources."""

from __future__ import annotations

import re
from typing import Any

from jinja2 import nodes

from crm_assets.declarations.importers.airbyte.columns import add_column, columns
from crm_assets.declarations.importers.airbyte.errors import errors
from crm_assets.declarations.importers.airbyte.expressions import (
    Moment,
    Named,
    NoCounterpartError,
    condition,
    named,
    parts,
    value_of,
)
from crm_assets.declarations.importers.airbyte.filters import record_filter
from crm_assets.declarations.importers.airbyte.increments import END, START, Increment
from crm_assets.declarations.importers.airbyte.paging import paginator
from crm_assets.declarations.importers.airbyte.partitions import Partitions, partitions
from crm_assets.declarations.importers.airbyte.settings import Settings, is_plain
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.models.base import placeholders
from crm_assets.declarations.spellings.names import snake_case

Document = dict[str, Any]
_WITHOUT_COUNTERPART = ("CustomRetriever", "AsyncRetriever", "CustomRequester")
_DECODERS = {"XmlDecoder": "xml", "CsvDecoder": "csv", "JsonlDecoder": "jsonl"}
_CREDENTIALS = ("authorization", "proxy-authorization", "cookie")


def stream_name(given: Document) -> str:
    """Return the name of a stream's table."""
    return snake_case(str(given.get("name"))).lstrip("_")


class Stream:
    """One stream while it is turned.

    Args:
        given: Its document in the manifest.
        settings: The manifest's settings.
        notes: Takes what is assumed or lost.
    """

    def __init__(self, given: Document, settings: Settings, notes: Notes) -> None:
        self.name = stream_name(given)
        self._given = given
        self._settings = settings
        self._notes = notes
        retriever = given.get("retriever") or {}
        self._retriever = retriever
        self._requester: Document = retriever.get("requester") or {}
        self.increment = Increment(given.get("incremental_sync"))
        self.partitions: Partitions = partitions(retriever.get("partition_router"), settings)
        self.resource: Document = {"name": self.name}
        self._secrets: set[str] = set()
        self._added: dict[str, str] = {}
        """Columns of the fields that the manifest adds, by the names it gives them."""
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
            self._notes.add("assumed", f"the address is {found.default}; base_url of a connection may say another")
            base = str(found.default)
        path = str(self._requester.get("path") or "").strip()
        base = self._base(base, alone=not path)
        address = f"{base.rstrip('/')}/{self._text(path).lstrip('/')}" if path else base
        for name in self._secrets.intersection(placeholders(address)):
            self._notes.add(
                "assumed", f"{name} is a secret of the manifest; it stands in the address, so it is a parameter"
            )
            self._settings.params.setdefault(name, {"description": f"The setting {name}"})
        return address

    def _base(self, given: str, *, alone: bool) -> str:
        """Return the address that paths are below; one that is computed has to come from the connection."""
        try:
            return self._text(given)
        except NoCounterpartError:
            if alone:
                raise
        what = f"the address is computed ({' '.join(given.split())[:90]}): base_url of the connection has to say it"
        self._notes.add("assumed", what)
        return "https://api.example.com"

    def build(self) -> Document:
        """Return the resource, without its path.

        Raises:
            NoCounterpartError: It has no counterpart.
        """
        self._refuse_code()
        endpoint = self._endpoint()
        self._columns()
        self.resource["endpoint"] = endpoint
        self._key()
        self._increment(endpoint)
        if self.partitions.fixed:
            self.resource["for_each"] = self.partitions.fixed
        return self.resource

    def _refuse_code(self) -> None:
        kinds = [self._retriever.get("type"), self._requester.get("type"), self._given.get("type")]
        extractor = (self._retriever.get("record_selector") or {}).get("extractor") or {}
        if str(extractor.get("type")).startswith("Custom") and extractor.get("field_path"):
            path = ".".join(map(str, extractor["field_path"]))
            self._notes.add(
                "lost", f"records are taken out by code of its own; here they are those at {path}", self.name
            )
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
        params = self._without_secrets(self._sent(self._requester.get("request_parameters")), "query")
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
            self._notes.add("assumed", "it does not say where the page goes: paging is looked for", self.name)
        if page.get("location") == "json":
            endpoint["method"] = method
        endpoint |= {"data_selector": selector, "paginator": page, **found}
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
        path = [self._text(str(part)) for part in (selector.get("extractor") or {}).get("field_path") or []]
        if len(path) > 2 and path[-2] == "*":
            endpoint["unwrap"] = path[-1]
            path = path[:-1]
        if path and path[-1] == "*" and len(path) > 1:
            path = path[:-1]
        return path_text(tuple(path))

    def _filter(self, given: Any, endpoint: Document) -> None:
        if not given:
            return
        text = str(given.get("condition") or "code of its own")
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
        return self._sent(body)

    def _headers(self) -> Document:
        headers = self._sent(self._requester.get("request_headers"))
        kept = {name: str(value) for name, value in headers.items() if name.lower() not in ("accept", "content-type")}
        return self._without_secrets(kept, "header")

    def _without_secrets(self, given: Document, place: str) -> Document:
        """Return what is left of headers or parameters when the secrets among them are part of the log-in."""
        kept: Document = {}
        for name, value in given.items():
            found = [one for one in placeholders(value) if one in self._secrets] if isinstance(value, str) else []
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

    def _sent(self, given: Any) -> Document:
        """Return parameters, headers or a body; what only names the moment of the read is left out."""
        if not given:
            return {}
        if not isinstance(given, dict):
            raise NoCounterpartError("parameters made by a template have no counterpart")
        found = {str(key): self._value(value) for key, value in given.items()}
        return {key: value for key, value in found.items() if value is not None and value != ""}

    def _value(self, given: Any) -> Any:
        if isinstance(given, dict):
            return {str(key): self._value(value) for key, value in given.items()}
        if isinstance(given, list):
            return [self._value(value) for value in given]
        if is_plain(given):
            return given
        found = named(given)
        if isinstance(found, Named) and found.root == "stream_interval" and self.increment.value(found) is None:
            self._notes.add("assumed", f"{str(given).strip()} names nothing and is not sent", self.name)
            return None
        if isinstance(found, Moment):
            return END if self.increment.given else self._now(str(given))
        try:
            return self._members(str(given)) or self._text(str(given))
        except NoCounterpartError:
            if not self._is_of_the_start(str(given)):
                raise
            what = f"{' '.join(str(given).split())} is not sent: the list is read from its beginning"
            self._notes.add("assumed", what, self.name)
            return None

    def _members(self, given: str) -> list[str]:
        """Return the members of a list that a template writes."""
        found = condition(given)
        return [self._named(item, given) for item in found.items] if isinstance(found, nodes.List) else []

    def _is_of_the_start(self, given: str) -> bool:
        """Whether a template says nothing but the day to begin with, in its own way."""
        found = [value_of(node) for part in parts(given) if isinstance(part, nodes.Expr) for node in _values(part)]
        settings = {one.path for one in found if isinstance(one, Named) and one.root == "config"}
        return len(settings) == 1 and all(map(self._settings.is_date, settings))

    def _now(self, text: str) -> None:
        self._notes.add(
            "assumed", f"{text.strip()} is not sent: without it the API is taken to answer up to now", self.name
        )

    def _text(self, given: str) -> str:
        """Return a template of the manifest as one of the declaration."""
        if is_plain(given):
            return given
        return "".join(part if isinstance(part, str) else self._named(part, given) for part in parts(given))

    def _named(self, node: nodes.Expr, whole: str) -> str:
        if isinstance(node, nodes.Const):
            return str(node.value)
        if (
            isinstance(node, nodes.CondExpr)
            and isinstance(node.expr2, nodes.Const)
            and isinstance(node.expr1, nodes.Const)
        ):
            self._notes.add("assumed", f"{node.expr2.value!r}, where a setting could say {node.expr1.value!r}")
            return str(node.expr2.value)
        found = value_of(node)
        if isinstance(found, Named):
            if found.root == "config" and found.path:
                if self._settings.is_secret(found.path):
                    self._secrets.add(name := self._settings.secret_name(found))
                    return f"{{{name}}}"
                return f"{{{self._settings.param(found)}}}"
            own = self.partitions.value(found) or self.increment.value(found)
            if own is not None:
                return own
        raise NoCounterpartError(f"{re.sub(chr(10), ' ', whole).strip()[:90]!r} has no counterpart")

    def _columns(self) -> None:
        loader = self._given.get("schema_loader") or {}
        loader = loader[0] if isinstance(loader, list) and loader else loader
        schema = loader.get("schema") if isinstance(loader, dict) else None
        if not isinstance(schema, dict):
            self._notes.add("assumed", "no schema is inline: every field becomes a column", self.name)
            self.resource["undeclared_fields"] = "columns"
        found = columns(schema, self._flattened(schema))
        for transformation in self._given.get("transformations") or ():
            self._transform(transformation, found)
        self.resource["columns"] = found

    def _flattened(self, schema: Any) -> str:
        for one in self._given.get("transformations") or ():
            path = one.get("field_path") or []
            properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
            if one.get("type") == "DpathFlattenFields" and len(path) == 1 and path[0] not in properties:
                self._notes.add(
                    "assumed", f"all fields but id, type, links and relationships are in {path[0]}", self.name
                )
                return str(path[0])
        return ""

    def _transform(self, given: Document, found: Document) -> None:
        match given.get("type"):
            case "AddFields":
                if given.get("condition"):
                    self._notes.add("lost", f"fields are added only if {given['condition']}", self.name)
                for each in given.get("fields") or ():
                    self._add_field(each, found)
            case "RemoveFields" | "KeysToLower" | "KeysToSnakeCase" | "DpathFlattenFields" | "FlattenFields":
                pass
            case kind:
                self._notes.add("lost", f"records are changed by {kind or 'code of its own'}", self.name)

    def _add_field(self, each: Document, found: Document) -> None:
        path, value = [str(part) for part in each.get("path") or []], named(each.get("value"))
        text = str(each.get("value"))
        source = path_text(value.path) if isinstance(value, Named) and value.root == "record" and value.path else ""
        if not source and "{{" in text:
            try:
                filled = self._text(text)
            except NoCounterpartError:
                filled = ""
            source = filled if len(placeholders(filled)) == 1 and filled.startswith("{") else ""
        if isinstance(value, Moment) or (
            isinstance(value, Named) and value.root in ("stream_slice", "stream_partition") and not source
        ):
            self._notes.add(
                "assumed", f"the field {'.'.join(path)} is left out: {text.strip()} is not of the record", self.name
            )
            return
        if source and len(path) > 1:
            self._notes.add(
                "assumed", f"the field {'.'.join(path)} is the column {snake_case('_'.join(path))}", self.name
            )
            path = ["_".join(path)]
        if not source and "format_datetime" in text and self._is_its_own(text, path):
            self._notes.add("assumed", f"the time {path[0]} is taken as it comes, not written anew", self.name)
            return
        if not source:
            self._notes.add("lost", f"the field {'.'.join(path)} computed from {text.strip()[:60]}", self.name)
            return
        declared = (name for name, column in found.items() if column.get("source", name) == path_text((path[0],)))
        own = next(declared, None) or snake_case(path[0])
        found[own] = {**found.get(own, {"type": "text"}), "source": source}
        self._added[path[0]] = own

    @staticmethod
    def _is_its_own(text: str, path: list[str]) -> bool:
        """Whether a template names no other value than the field it is for."""
        found = [value_of(node) for part in parts(text) if isinstance(part, nodes.Expr) for node in _values(part)]
        return {one.path for one in found if isinstance(one, Named)} == {tuple(path)}

    def column(self, path: str, kind: str = "text") -> str:
        """Return the column for a path of a record, or for a placeholder; one is added where there is none."""
        found = self.resource["columns"]
        if path in self._added:
            return self._added[path]
        for name, column in found.items():
            if column.get("source", name) == path:
                return str(name)
        return add_column(found, path.strip("{}").replace(".", "_"), path, {"type": kind})

    def _key(self) -> None:
        given = self._given.get("primary_key") or []
        paths = [given] if isinstance(given, str) else given
        key = []
        for path in paths:
            text = path if isinstance(path, str) else path_text(tuple(map(str, path)))
            name = self.column(text)
            column = self.resource["columns"][name]
            column |= {"nullable": False, **({"type": "text"} if column["type"] in ("json", "double", "bool") else {})}
            key.append(name)
        self.resource["primary_key"] = list(dict.fromkeys(key))
        if not key:
            self._notes.add("assumed", "no key is declared: each read replaces the table", self.name)

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
        field = self.column(path_text(tuple(str(self.increment.given.get("cursor_field")).split("."))), "timestamp")
        column = self.resource["columns"][field]
        if column["type"] in ("bigint", "double") and self.increment.format.startswith("epoch"):
            column |= {"type": "timestamp", "format": self.increment.format}
        elif column["type"] not in ("timestamp", "date"):
            column["type"] = "timestamp"
        self.resource["incremental"] = self.increment.document(field, params, body)
        for text in self.increment.notes:
            self._notes.add("assumed", text, self.name)


def _values(node: nodes.Expr) -> list[nodes.Node]:
    """Return the values that are looked up in an expression, without the methods that are called on them."""
    methods = [call.node for call in [*node.find_all(nodes.Call), *([node] if isinstance(node, nodes.Call) else [])]]
    return [one for one in node.find_all((nodes.Getattr, nodes.Getitem)) if not any(one is each for each in methods)]


def _bounded(value: Any) -> bool:
    return START in str(value) or END in str(value)
