"""Reading YAML: plain data only, keys that are words, and no key given twice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from crm_assets.declarations.errors import SpecError

if TYPE_CHECKING:
    from yaml import SafeLoader
else:
    SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(SafeLoader):
    """YAML in which only ``true`` and ``false`` are truth values: ``on``, ``no`` and ``yes`` are words."""


_BOOL_TAG = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL_TAG]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_SURROGATES = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
"""How JSON writes a character beyond U+FFFF, which YAML forbids though it takes JSON otherwise."""
_Loader.add_implicit_resolver(_BOOL_TAG, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping a YAML file contains.

    Raises:
        SpecError: The file cannot be read, is not valid YAML, gives a key twice, or does not contain a mapping.
    """
    return _document_mapping(path, doubles=False)


def read_foreign_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping of a YAML file that was written for another program, which takes the last of two equal keys.

    Raises:
        SpecError: The file cannot be read, is not valid YAML, or does not contain a mapping.
    """
    return _document_mapping(path, doubles=True)


def _document_mapping(path: Path, *, doubles: bool) -> dict[str, Any]:
    text = ""
    try:
        text = _read_text(path)
        document = _parsed(text, doubles=doubles)
    except OSError as error:
        raise SpecError(f"cannot be read ({error.strerror})", str(path)) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        place = f"{path.name}:{line}" if line else path.name
        raise SpecError(f"is not valid YAML: {error.problem}{_hint(error, text.splitlines(), line)}", place) from error
    except UnicodeDecodeError as error:
        raise SpecError("is not in UTF-8; save it with that encoding", path.name) from error
    except yaml.YAMLError as error:
        raise SpecError(f"is not valid YAML: {error}", path.name) from error
    if not isinstance(document, dict):
        raise SpecError("expected a mapping at the top of the file", path.name)
    return document


def _read_text(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return _SURROGATES.sub(lambda pair: bytes.fromhex("".join(pair.groups())).decode("utf-16-be"), text)


def _hint(error: yaml.MarkedYAMLError, lines: list[str], line: int) -> str:
    """Return what most likely went wrong, for the parser's words speak of its grammar."""
    blank = lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())] if 0 < line <= len(lines) else ""
    if "\t" in blank:
        return "; the line is indented with a tab, and YAML allows only spaces"
    if error.problem and error.problem.startswith(("did not find expected", "mapping values are not allowed")):
        return "; the indentation of this line or the one above is wrong, or a bracket, quote or colon is missing"
    return ""


def read_nodes(path: Path) -> yaml.Node | None:
    """Return the nodes of a YAML file, which know their lines; ``None`` where it cannot be read."""
    try:
        loader = _Loader(_read_text(path))
        try:
            node: yaml.Node | None = loader.get_single_node()
        finally:
            loader.dispose()
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return None
    return node


def _parsed(text: str, *, doubles: bool) -> Any:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        if not doubles:
            _refuse_doubles(root, set())
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _refuse_doubles(node: yaml.Node, seen: set[int]) -> None:
    """Refuse a mapping that gives a key twice: the second would silently win."""
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    keys: set[str] = set()
    for entry in node.value:
        key, value = entry if isinstance(node, yaml.MappingNode) else (None, entry)
        if isinstance(key, yaml.ScalarNode):
            if key.value in keys:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} is given twice", problem_mark=key.start_mark)
            keys.add(key.value)
        _refuse_doubles(value, seen)
