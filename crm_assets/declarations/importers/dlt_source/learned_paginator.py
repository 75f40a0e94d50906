"""Paginators of a pipeline's own code, learned by trial: each is given made-up answers, and what it asks for next shows
which of the usual ways to page it is. One whose ways stay unclear is not taken over.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from requests import Request, Response

_MARK = "https://mark.invalid/next?cursor=7f3a"
"""A text that no paginator sends by itself. It is an address, so that links are followed, too."""
_FULL = 5000
"""Records of a page that no page size is greater than."""
_VALUES: tuple[Any, ...] = (_MARK, [{}] * _FULL, True, 1_000_000, {})
_MOST_TRIALS = 600


class _Body(dict[str, Any]):
    """An answer's body, or an object in it, that keeps the paths which are looked for."""

    def __init__(self, given: dict[str, Any], seen: set[str], path: str = "") -> None:
        super().__init__({key: self._inner(key, value, seen, path) for key, value in given.items()})
        self._seen, self._path = seen, path

    @staticmethod
    def _inner(key: str, value: Any, seen: set[str], path: str) -> Any:
        return _Body(value, seen, f"{path}{key}.") if isinstance(value, dict) else value

    def _look(self, key: Any) -> None:
        self._seen.add(f"{self._path}{key}")

    def __getitem__(self, key: Any) -> Any:
        self._look(key)
        return super().__getitem__(key)

    def __contains__(self, key: Any) -> bool:
        self._look(key)
        return super().__contains__(key)

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value of a key, or what stands in its place: an object keeps the paths below it."""
        self._look(key)
        if not super().__contains__(key) and isinstance(default, dict):
            return _Body(default, self._seen, f"{self._path}{key}.")
        return super().get(key, default)

    def __bool__(self) -> bool:
        return True


@dataclass
class _Trial:
    """What a paginator does after a page."""

    first: dict[str, Any]
    """The first request: its parameters and body, and the address."""
    then: list[dict[str, Any]]
    """The requests after it, none where it ends there."""
    seen: set[str] = field(default_factory=set)
    """Paths of the body that it looked for."""


def _tried(paginator: Any, body: dict[str, Any], records: int, pages: int = 3) -> _Trial | None:
    """Return what a paginator does with an answer that stays the same, or ``None`` where it fails."""
    one, trial = copy.deepcopy(paginator), _Trial({}, [])
    request = Request("GET", "https://api.invalid/list", params={}, json={})
    try:
        one.init_request(request)
        trial.first = _state(request)
        for _ in range(pages):
            response = Response()
            response.status_code, answer = 200, _Body(body, trial.seen)
            response.json = lambda answer=answer, **_: answer  # type: ignore[method-assign]
            one.update_state(response, [{} for _ in range(records)])
            if not one.has_next_page:
                break
            one.update_request(request)
            trial.then.append(_state(request))
    except Exception:  # of code that is not ours: what cannot be learned is named as code
        return None if not trial.seen else _Trial(trial.first, [], trial.seen)
    return trial


def _state(request: Request) -> dict[str, Any]:
    url = str(request.url)
    own = url if _MARK in url else url.partition("?")[0]
    return copy.deepcopy({"params": request.params or {}, "json": request.json or {}, "url": own})


def _nested(paths: dict[str, Any]) -> dict[str, Any]:
    """Return the body in which each path has its value."""
    body: dict[str, Any] = {}
    for path, value in paths.items():
        *above, last = path.split(".")
        inner = body
        for part in above:
            inner = inner.setdefault(part, {}) if isinstance(inner.get(part, {}), dict) else {}
        inner[last] = _mark(path) if value is _MARK else value
    return body


def _mark(path: str) -> str:
    return f"{_MARK}&at={path}"


def learned(paginator: Any) -> dict[str, Any] | None:
    """Return a paginator of a pipeline's own code in the words of a declaration, or ``None`` where it stays unclear.

    Args:
        paginator: The object; dlt's methods are called on copies of it.
    """
    found = _going_on(paginator)
    if found is None:
        return None
    paths, trial = found
    asked = str(trial.then[0])
    sent = [path for path, value in paths.items() if value is _MARK and _mark(path) in asked]
    paths = {path: True if value is _MARK and path not in sent else value for path, value in paths.items()}
    again = _tried(paginator, _nested(paths), _FULL)
    if again is None or again.then != trial.then:
        return None
    return _followed(trial, sent[0], paths) if sent else _counted(paginator, trial, paths)


def _going_on(paginator: Any) -> tuple[dict[str, Any], _Trial] | None:
    """Return the shortest answer after which there is a next page, and what happens then."""
    known: set[str] = set()
    for paths in itertools.islice(_answers(known), _MOST_TRIALS):
        trial = _tried(paginator, _nested(paths), _FULL)
        if trial is None:
            continue
        known |= trial.seen
        if len(trial.then) == 3:
            return paths, trial
    return None


def _answers(known: set[str]) -> Iterator[dict[str, Any]]:
    """Return answers with none, one, two and three of the paths that were looked for so far."""
    for size in range(4):
        done: set[tuple[str, ...]] = set()
        while fresh := sorted(set(itertools.combinations(sorted(known), size)) - done):
            for chosen in fresh:
                done.add(chosen)
                yield from (dict(zip(chosen, each, strict=True)) for each in itertools.product(_VALUES, repeat=size))


def _followed(trial: _Trial, path: str, paths: dict[str, Any]) -> dict[str, Any] | None:
    then = trial.then[0]
    flags = [other for other, value in paths.items() if value is True]
    if len(flags) + 1 < len(paths):
        return None
    end = {"has_more_path": flags[0], "end": "has_more"} if flags else {}
    if then["url"] == _mark(path):
        return {"type": "json_link", "next_url_path": path, **end}
    for place, location in (("params", {}), ("json", {"location": "json"})):
        names = [name for name, value in then[place].items() if value == _mark(path)]
        if len(names) == 1 and _same_but(trial, place, names[0]):
            further = _sent(trial, place, (names[0],))
            return {"type": "cursor", "cursor_path": path, "cursor_param": names[0], **location, **end, **further}
    return None


def _counted(paginator: Any, trial: _Trial, paths: dict[str, Any]) -> dict[str, Any] | None:
    """Return a paginator that adds to a number, with the end that it was seen to have."""
    for place, location in (("params", {}), ("json", {"location": "json"})):
        first, *later = (each[place] for each in (trial.first, *trial.then))
        moved = [name for name in later[1] if later[1][name] != later[0].get(name)]
        if len(moved) != 1 or not all(isinstance(each.get(moved[0], 0), int) for each in (first, *later)):
            continue
        (name,) = moved
        step = later[1][name] - later[0][name]
        counts = [first.get(name, later[0][name] - step), *(each[name] for each in later)]
        start = counts[0]
        if counts != [start + step * page for page in range(4)] or step < 1 or not _same_but(trial, place, name):
            return None
        size = next((key for key, value in later[0].items() if value == step and key != name and step > 1), None)
        return _with_end(paginator, paths, name, start, step, size) | location | _sent(trial, place, (name, size))
    return None


def _with_end(
    paginator: Any, paths: dict[str, Any], name: str, start: int, step: int, size: str | None
) -> dict[str, Any]:
    kind = "page_number" if step == 1 else "offset"
    keys = ("page_param", "start_from_page") if step == 1 else ("offset_param", "start_offset")
    limit = {"limit": step} if kind == "offset" and size else {}
    declared = {"type": kind, keys[0]: name, keys[1]: start, **limit, **({"limit_param": size} if size else {})}
    if flags := [path for path, value in paths.items() if value is True]:
        return {**declared, "has_more_path": flags[0], "end": "has_more"}
    short = _tried(paginator, _nested(_one_record(paths)), 1)
    return {**declared, "end": "short_page" if size and short and not short.then else "empty_page"}


def _one_record(paths: dict[str, Any]) -> dict[str, Any]:
    return {path: [{}] if isinstance(value, list) else value for path, value in paths.items()}


def _same_but(trial: _Trial, place: str, name: str) -> bool:
    """Whether the requests differ in nothing but one parameter."""
    states = (trial.first, *trial.then)
    return all(
        {key: value for key, value in each[part].items() if part != place or key != name}
        == {key: value for key, value in states[1][part].items() if part != place or key != name}
        for each in states[1:]
        for part in ("params", "json")
    )


def _sent(trial: _Trial, place: str, known: tuple[str | None, ...]) -> dict[str, Any]:
    """Return what else it adds to each request."""
    further = {
        part: {key: value for key, value in trial.then[0][part].items() if part != place or key not in known}
        for part in ("params", "json")
    }
    kept = {part: values for part, values in further.items() if values}
    return {"__sent__": kept} if kept else {}
