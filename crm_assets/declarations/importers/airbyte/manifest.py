"""A whole manifest made into a declaration: its streams, their parents, and what they share."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.importers.airbyte.authentication import airbyte_auth
from crm_assets.declarations.importers.airbyte.expressions import NoCounterpartError
from crm_assets.declarations.importers.airbyte.increments import seconds
from crm_assets.declarations.importers.airbyte.partitions import one_parent_each
from crm_assets.declarations.importers.airbyte.references import resolved
from crm_assets.declarations.importers.airbyte.settings import ManifestSettings
from crm_assets.declarations.importers.airbyte.streams import Stream, stream_name
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.models.base import PLACEHOLDER
from crm_assets.declarations.models.system import RateLimit

_PERIODS = {"day": 86_400, "hour": 3600, "minute": 60, "second": 1}
"""Seconds of the periods a rate may be given for."""


def declaration(manifest: Document, notes: Notes) -> Document:
    """Return the declaration of a manifest.

    Args:
        manifest: The manifest as it stands.
        notes: Takes what is assumed or lost.

    Raises:
        SpecError: None of its streams can be read, or none of its ways to log in.
    """
    whole = resolved(manifest)
    settings = ManifestSettings(whole, notes)
    if whole.get("dynamic_streams"):
        notes.add("lost", "streams that the API lists at run time are not declared")
    streams = _streams(whole, settings, notes)
    built = {name: stream for name, stream in streams.items() if _build(stream, notes)}
    _bind_parents(built, notes)
    if not built:
        reasons = [note for note in notes.all() if note.kind == "left out"]
        shown = "; ".join(f"{note.resources[0] if note.resources else ''}: {note.what}" for note in reasons[:3])
        raise SpecError(f"none of its streams can be declared ({shown or 'it has none of its own'})")
    base = _place(built, notes)
    auth = _authentication(built, settings, notes)
    return {
        "title": str((whole.get("metadata") or {}).get("name") or ""),
        "client": {"base_url": base, "auth": auth},
        **({"params": settings.params} if settings.params else {}),
        **_rate(whole.get("api_budget"), notes),
        "resources": [{**stream.resource, "verified": "connector"} for stream in built.values()],
    }


def _streams(whole: Document, settings: ManifestSettings, notes: Notes) -> dict[str, Stream]:
    """Return the streams by name, each behind the parents it is read for, which need not be in the manifest's list."""
    found: dict[str, Stream] = {}
    listed = {stream_name(given) for given in whole.get("streams") or ()}

    def add(given: Document) -> str:
        name = stream_name(given)
        if name in found:
            return name
        try:
            stream = Stream(given, settings, notes)
        except NoCounterpartError as error:
            notes.add("left out", str(error), name)
            return ""
        if name not in listed:
            stream.resource["selected"] = False
        if stream.partitions.parent:
            parent = add(_in_full(stream.partitions.parent, notes))
            if not parent:
                notes.add("left out", f"its parent {stream.partitions.parent.get('name')} is", name)
                return ""
            stream.resource["parent"] = {"resource": parent}
        found[name] = stream
        return name

    for given in whole.get("streams") or ():
        for one in one_parent_each(_in_full(given, notes), notes):
            add(one)
    return found


def _in_full(given: Document, notes: Notes) -> Document:
    if given.get("type") != "StateDelegatingStream":
        return given
    notes.add("lost", "changes come from another endpoint: the list is read in full", str(given.get("name")))
    return {**(given.get("full_refresh_stream") or {}), "name": given.get("name")}


def _build(stream: Stream, notes: Notes) -> bool:
    try:
        stream.build()
        stream.resource["endpoint"]["path"] = stream.url
    except NoCounterpartError as error:
        notes.add("left out", str(error), stream.name)
        return False
    return True


def _bind_parents(built: dict[str, Stream], notes: Notes) -> None:
    """Give every parent the columns its children are read by, and leave out the children of what is left out."""
    for name in [*built]:
        stream = built[name]
        if "parent" not in stream.resource:
            continue
        above = built.get(stream.resource["parent"]["resource"])
        if above is None:
            notes.add("left out", f"its parent {stream.resource['parent']['resource']} is", name)
            del built[name]
            continue
        try:
            stream.resource["parent"] = _bound(stream, above)
        except NoCounterpartError as error:
            notes.add("left out", str(error), name)
            del built[name]


def _bound(stream: Stream, above: Stream) -> Document:
    own = stream.partitions
    further = {placeholder: above.column(path) for placeholder, path in own.further.items()}
    parent = {"resource": above.name, "field": above.column(own.key), "placeholder": own.placeholder}
    return {**parent, **({"further_fields": further} if further else {})}


def _place(built: dict[str, Stream], notes: Notes) -> str:
    """Split the addresses into what all have in common, the base, and the paths; foreign ones are left out."""
    hosts = Counter(_host(stream.resource["endpoint"]["path"]) for stream in built.values())
    (host, _), *_ = hosts.most_common(1)
    for name in [name for name, stream in built.items() if _host(stream.resource["endpoint"]["path"]) != host]:
        notes.add("left out", "its address differs from the others'", name)
        del built[name]
    paths = [_segments(stream.resource["endpoint"]["path"])[:-1] for stream in built.values()]
    alike = itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False))
    base = "/".join(itertools.takewhile(lambda part: not _is_of_a_row(part, built), (parts[0] for parts in alike)))
    for stream in [*built.values()]:
        endpoint = stream.resource["endpoint"]
        endpoint["path"] = endpoint["path"][len(base) :] or "/"
        if job := endpoint.get("export_job"):
            endpoint["export_job"] = {**job, "status_url": job["status_url"].removeprefix(base)}
            if not job["status_url"].startswith(base):
                notes.add("left out", "its export job is at another address", stream.name)
                del built[stream.name]
    return _address(base, notes)


def _is_of_a_row(part: str, built: dict[str, Stream]) -> bool:
    names = PLACEHOLDER.findall(part)
    return any(name in stream.partitions.names.values() for name in names for stream in built.values())


def _segments(url: str) -> list[str]:
    return url.split("?")[0].split("/")


def _host(url: str) -> str:
    return "/".join(url.split("/")[: 3 if "://" in url else 1])


def _address(base: str, notes: Notes) -> str:
    if re.match(r"https?://", base):
        return re.sub(r"^http://(?!localhost|127\.)", "https://", base)
    if base.startswith("{"):
        setting = PLACEHOLDER.match(base)
        name = setting[1] if setting else "base"
        notes.add("assumed", f"the address is the setting {name}: set base_url of the connection")
        return PLACEHOLDER.sub("https://api.example.com", base, count=1)
    return f"https://{base.lstrip('/')}"


def _authentication(built: dict[str, Stream], settings: ManifestSettings, notes: Notes) -> Document | list[Document]:
    """Return how most lists are asked for; those asked for otherwise have their own."""
    ways = [(stream.authenticator, stream.further_auth) for stream in built.values()]
    usual = max(ways, key=ways.count)
    try:
        found = _combined(*usual, settings, notes)
    except NoCounterpartError as error:
        raise SpecError(str(error), "key client.auth") from error
    for name, stream in built.items():
        if (stream.authenticator, stream.further_auth) != usual:
            try:
                own = _combined(stream.authenticator, stream.further_auth, settings, notes)
                stream.resource["endpoint"]["auth"] = own
            except NoCounterpartError as error:
                notes.add("lost", f"{error}: it is requested like the others", name)
    return found


def _combined(
    given: Any, further: list[Document], settings: ManifestSettings, notes: Notes
) -> Document | list[Document]:
    main = airbyte_auth(given, settings, notes)
    parts = [*([] if main["type"] == "none" else [main]), *further]
    return main if not parts else parts[0] if len(parts) == 1 else parts


def _rate(budget: Any, notes: Notes) -> Document:
    policies = (budget or {}).get("policies") or []
    rates = [
        _per_period(rate)
        for policy in policies
        for rate in policy.get("rates") or [{"limit": policy.get("call_limit"), "interval": policy.get("period")}]
    ]
    known = [rate for rate in rates if rate]
    if len(known) < len(rates) or not rates:
        if policies:
            notes.add("lost", "a custom rate limit; set rate_limit of the connection")
        return {}
    if len(rates) > 1 or policies[0].get("matchers"):
        notes.add("assumed", "the lowest of the manifest's rates holds for all lists")
    return {"rate_limit": min(known, key=lambda rate: rate["requests"] / RateLimit(**rate).seconds)}


def _per_period(rate: Document) -> Document | None:
    """Return a rate in the longest of the usual periods that is no longer than its own: never more than it allows."""
    limit, length = rate.get("limit"), seconds(rate.get("interval"))
    if not isinstance(limit, int) or limit <= 0 or not length:
        return None
    for name, period in _PERIODS.items():
        if period <= length and (requests := limit * period // length):
            return {"requests": requests, "per": name}
    return None
