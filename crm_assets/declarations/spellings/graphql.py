"""GraphQL: a query, its variables and the connection it pages through, as the JSON body and the paginator they are."""

from __future__ import annotations

import re
from pathlib import Path

from crm_assets.declarations.document import Document
from crm_assets.declarations.errors import SpecError, unknown

_GRAPHQL_KEY = "key endpoint.graphql"
_GRAPHQL_KEYS = ("query", "query_file", "variables", "connection", "cursor_variable")
_QUERY_TOKENS = re.compile(
    r'(?P<text>"""(?:\\"""|.)*?"""|"(?:\\.|[^"\\\n])*")|(?P<comment>#[^\n]*)|(?P<brace>\{)', re.DOTALL
)


def canonical_graphql(resource: Document, folder: Path | None) -> Document:
    """Return a resource whose query, if it has one, is the JSON body of its requests.

    Args:
        resource: The resource.
        folder: Where the file of a query is looked for; ``None`` for a declaration that is in no file.

    Raises:
        SpecError: There is no query, or it does not ask for what paging needs.
    """
    endpoint = resource.get("endpoint")
    if not isinstance(endpoint, dict) or "graphql" not in endpoint:
        return resource
    given = endpoint["graphql"]
    if not isinstance(given, dict):
        raise SpecError("expected a mapping with query or query_file", _GRAPHQL_KEY)
    for key in given:
        if key not in _GRAPHQL_KEYS:
            raise SpecError(unknown("key", str(key), _GRAPHQL_KEYS), _GRAPHQL_KEY)
    if endpoint.get("json") is not None:
        raise SpecError("give json or graphql, not both", _GRAPHQL_KEY)
    query = _without_placeholders(_query_text(given, folder))
    variables = given.get("variables") or {}
    body = {"query": query, **({"variables": variables} if variables else {})}
    rest = {key: value for key, value in endpoint.items() if key != "graphql"}
    paged = _paged(given, query) if given.get("connection") else {}
    return {**resource, "endpoint": {"method": "POST", "error_path": "errors", **rest, **paged, "json": body}}


def _query_text(graphql: Document, folder: Path | None) -> str:
    query, name = graphql.get("query"), graphql.get("query_file")
    if (query is None) == (name is None):
        raise SpecError("give query or query_file", _GRAPHQL_KEY)
    if query is not None:
        return str(query)
    if folder is None:
        raise SpecError("query_file needs a declaration that is in a file: give query", _GRAPHQL_KEY)
    try:
        return (folder / str(name)).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{name} cannot be read from the folder of the declaration ({error})", _GRAPHQL_KEY) from error


def _without_placeholders(query: str) -> str:
    """Return a query in which ``{id}`` selects a field; in its texts ``{name}`` is a placeholder, as anywhere else."""
    return _QUERY_TOKENS.sub(lambda found: found["text"] or ("{ " if found["brace"] else ""), query)


def _paged(graphql: Document, query: str) -> Document:
    """Return where the records of a connection are and how it is paged, as the GraphQL Cursor Connections say it."""
    variable = str(graphql.get("cursor_variable", "after"))
    for needed in ("hasNextPage", "endCursor", f"${variable}"):
        if needed not in query:
            raise SpecError(f"the query has no {needed}, which the paging of a connection needs", _GRAPHQL_KEY)
    at = f"data.{graphql['connection']}"
    edges = re.search(r"\bedges\b", query)
    return {
        "data_selector": f"{at}.edges" if edges else f"{at}.nodes",
        **({"unwrap": "node"} if edges else {}),
        "paginator": {
            "type": "cursor",
            "location": "json",
            "cursor_path": f"{at}.pageInfo.endCursor",
            "cursor_param": f"variables.{variable}",
            "end": "has_more",
            "has_more_path": f"{at}.pageInfo.hasNextPage",
        },
    }
