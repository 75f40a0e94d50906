"""Signs of paging in what an answer says beside its records, whether or not they are declared.

Used where a declaration does not look: an end that ignores them is doubted, and an answer without a list is empty only
if nothing here says otherwise. Nothing found here ever steers a read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_MORE_NAMES = frozenset(
    {"more", "hasmore", "hasnext", "hasnextpage", "hasmoreresults", "hasmoreitems", "moreresults", "ismore"}
)
_NEXT_NAMES = frozenset(
    {"next", "nextpage", "nexturl", "nextlink", "nextcursor", "nextpageurl", "nextpagelink", "nextpagetoken"}
    | {"nexttoken", "nextoffset", "nextrecordsurl", "nexthref", "odatanextlink"}
)
_TOTAL_NAMES = frozenset(
    {"total", "totalcount", "totalrecords", "totalresults", "totalitems", "totalentries", "totalrows", "totalsize"}
    | {"totalelements", "totalhits", "recordstotal"}
)
_PAGE_COUNT_NAMES = frozenset({"totalpages", "pagecount", "pagestotal", "lastpage", "numpages"})
_COUNT_NAMES = _TOTAL_NAMES | {"count", "size", "recordcount", "numresults", "resultcount"}
_ERRORS = frozenset({"error", "errors", "errorcode", "errormessage", "exception", "fault"})
_STATES = frozenset({"status", "result", "state"})
_FAILED = frozenset({"error", "errors", "fail", "failed", "failure"})
_STATUS_CODES = frozenset({"code", "status", "statuscode", "httpcode", "httpstatus"})
_ERROR_CODES = frozenset({"errcode", "errno", "errorcode"})
_ABOUT_THE_ANSWER = frozenset({"meta", "status", "error"})
"""Objects whose code is that of the answer; elsewhere it may be the code of anything."""
_SUCCEEDED = frozenset({"success", "ok", "succeeded"})
_FALSE_TEXTS = frozenset({"", "0", "false", "no", "n", "none", "null", "off"})
_NOWHERE = frozenset({"", "0", "false", "null", "none"})
_GROUPED = re.compile(r"\d{1,3}(?:[,.' _\u00a0\u202f]\d{3})+")
_FACTS_DEPTH = 2


def as_int(value: object) -> int | None:
    """Return a whole number, also one that is written as text, with separators or with a decimal point, or ``None``."""
    if isinstance(value, str):
        text = value.strip()
        text = re.sub(r"\D", "", text) if _GROUPED.fullmatch(text) else text
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def is_true(value: object) -> bool:
    """Return what an answer means by a flag: ``false``, ``0``, ``"false"``, ``"0"``, ``"no"`` and nothing are false."""
    return value.strip().lower() not in _FALSE_TEXTS if isinstance(value, str) else bool(value)


def names_more(value: object) -> bool:
    """Whether a link or cursor leads anywhere: nothing, ``false``, ``0``, ``"0"`` and ``"null"`` do not."""
    return value.strip().lower() not in _NOWHERE if isinstance(value, str) else bool(value)


def says_no_more(beside: Mapping[str, Any]) -> bool:
    """Whether an answer says that no further page follows."""
    flags = [value for name, value in _normalized_members(beside) if name in _MORE_NAMES]
    return bool(flags) and not any(is_true(value) for value in flags)


def reports_none(beside: Mapping[str, Any]) -> bool:
    """Whether an answer says that there are no records, by a count of 0 and nothing to the contrary."""
    counts = [as_int(value) for name, value in _normalized_members(beside) if name in _COUNT_NAMES]
    return 0 in counts and not any(counts) and not reports_some(beside)


def is_error(value: object) -> bool:
    """Whether a member called ``error`` says that something failed.

    Only texts and lists count: an object may be there always, with a code that means success.
    """
    known = isinstance(value, list) or (isinstance(value, str) and value.strip().lower() not in _SUCCEEDED)
    return known and is_true(value)


def reports_no_success(beside: Mapping[str, Any]) -> str:
    """Return what says that a request failed, by a state or flag, as a clause, or an empty text."""
    for name, value in _normalized_members(beside):
        if name in _STATES and str(value).strip().lower() in _FAILED:
            return f"reports the {name} {str(value)[:200]!r}"
        if name in _SUCCEEDED and value is not None and not is_true(value):
            return "says that it did not succeed"
    return _reported_code(beside)


def _reported_code(beside: Mapping[str, Any], *, inside: bool = False) -> str:
    """Return the status of HTTP that means a failure, or the error's own code, as a clause, or an empty text."""
    for member, value in beside.items():
        name, code = _normalized(member), as_int(value)
        if code is not None and ((name in _STATUS_CODES and 400 <= code < 600) or (name in _ERROR_CODES and code != 0)):
            return f"reports the {member} {code}"
        about = name in _ABOUT_THE_ANSWER and not inside
        if about and isinstance(value, dict) and (found := _reported_code(value, inside=True)):
            return found
    return ""


def reports_some(beside: Mapping[str, Any]) -> str:
    """Return what says that there should be records, or that something failed, as a clause, or an empty text."""
    if failure := reports_no_success(beside):
        return failure
    for name, value in _normalized_members(beside):
        if name in _ERRORS and is_true(value):
            return f"reports an error: {str(value)[:200]}"
        if name in _TOTAL_NAMES and (as_int(value) or 0) > 0:
            return f"reports {as_int(value)} records"
        if name in _MORE_NAMES and is_true(value):
            return "says that more follow"
    return ""


def doubts_of(
    beside: Mapping[str, Any], headers: Mapping[str, str], records: int, pages: int, *, links: bool = True
) -> list[str]:
    """Return what contradicts that a list ended, as clauses.

    Args:
        beside: What the last answer with records says beside them.
        headers: Its headers.
        records: Records of the whole list as it was read.
        pages: Pages of the list as it was read.
        links: Whether a link or cursor to a next page is one of the signs.
    """
    doubts = []
    for name, value in _normalized_members(beside):
        if name in _MORE_NAMES and is_true(value):
            doubts.append("the last answer says that more follow")
        elif links and name in _NEXT_NAMES and _leads_on(value) and not says_no_more(beside):
            doubts.append("the last answer names a next page")
        elif name in _TOTAL_NAMES and (as_int(value) or 0) > records:
            doubts.append(f"the last answer reports {as_int(value)} records, and {records} were read")
        elif name in _PAGE_COUNT_NAMES and (as_int(value) or 0) > pages:
            doubts.append(f"the last answer reports {as_int(value)} pages, and {pages} were read")
    if links and re.search(r"""rel\s*=\s*["']?\s*next\b""", headers.get("Link", ""), re.IGNORECASE):
        doubts.append("the Link header of the last answer names a next page")
    doubts += [
        f"the header {header} reports {count} records, and {records} were read"
        for header in ("X-Total-Count", "X-Total", "Total-Count", "X-Total-Records")
        if (count := as_int(headers.get(header)) or 0) > records
    ]
    return list(dict.fromkeys(doubts))


def _leads_on(value: object) -> bool:
    return names_more(value) and not isinstance(value, (dict, list))


def _normalized_members(facts: Mapping[str, Any], depth: int = 1) -> Iterator[tuple[str, Any]]:
    """Yield names, in small letters without punctuation, and values of the members, those of objects included."""
    for name, value in facts.items():
        yield _normalized(name), value
        if isinstance(value, dict) and depth < _FACTS_DEPTH:
            yield from _normalized_members(value, depth + 1)


def _normalized(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())
