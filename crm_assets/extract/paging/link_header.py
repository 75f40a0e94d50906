"""The ``Link`` header of an answer (RFC 8288)."""

from __future__ import annotations

import re

_LINK = re.compile(
    r"""<(?P<url>[^>]*)>(?P<parameters>(?:\s*;\s*[^\s;,="]+(?:\s*=\s*(?:"(?:\\.|[^"\\])*"|[^\s;,"]*))?)*)"""
)
_PARAMETER = re.compile(r""";\s*(?P<name>[^\s;,="]+)\s*=\s*(?:"(?P<quoted>(?:\\.|[^"\\])*)"|(?P<bare>[^\s;,"]*))""")


def link_url(header: str, relation: str) -> str | None:
    """Return the address that a ``Link`` header gives for a relation, or ``None``.

    Relations and names of parameters are compared in lower case, and only the first ``rel`` of a link counts.

    Args:
        header: The value; several fields are joined with commas.
        relation: The relation's name, such as ``next``.
    """
    for link in _LINK.finditer(header):
        relations = (
            found["quoted"] or (found["bare"] or "").strip("'")
            for found in _PARAMETER.finditer(link["parameters"])
            if found["name"].lower() == "rel"
        )
        if relation.lower() in next(relations, "").lower().split():
            return link["url"].strip()
    return None
