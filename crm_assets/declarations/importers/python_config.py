"""The Python of a seed document: its ``rest_api_source`` config as plain data, without running any of it."""

from __future__ import annotations

import ast
import re
from typing import Any

from crm_assets.declarations.errors import SpecError

_FENCED = re.compile(r"^```\w*[ \t]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_TOKENS = re.compile(
    r'''"""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\'|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|#[^\n]*|(//[^\n]*)''',
    re.DOTALL,
)


def read_config(text: str) -> tuple[dict[str, Any], list[str]]:
    """Return the config of a seed document, and its ``//`` comments, which are not Python.

    Args:
        text: Markdown with a fenced Python block, or the bare Python.

    Raises:
        SpecError: There is no such block or call, it is not valid Python, or it holds more than literals and
            ``dlt.secrets[...]``; the place is the line of the document.
    """
    comments: list[str] = []

    def without_comment(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0]
        comments.append(found[1])
        return ""

    try:
        tree = ast.parse(_TOKENS.sub(without_comment, _python(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        raise SpecError(
            f"is not valid Python: {getattr(error, 'msg', error)}", f"line {line}" if line else ""
        ) from error
    config = _literal(_source_argument(tree))
    if not isinstance(config, dict):
        raise SpecError("rest_api_source is not given a dict", "key config")
    return config, comments


def _python(text: str) -> str:
    """Return the fenced Python that configures the source, its lines numbered as in the document."""
    blocks = [found for found in _FENCED.finditer(text) if "rest_api_source" in found[1]]
    if not blocks:
        return text
    return "\n" * text.count("\n", 0, blocks[0].start(1)) + blocks[0][1]


def _source_argument(tree: ast.Module) -> ast.expr:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
            if name == "rest_api_source":
                return node.args[0]
    raise SpecError("contains no call of rest_api_source({...})")


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=None | bool() | int() | float() | str() as value):
            return value
        case ast.Dict(keys=keys, values=values):
            return _mapping(keys, values)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_literal(item) for item in items]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Subscript(
            value=ast.Attribute(value=ast.Name(id="dlt"), attr="secrets"), slice=ast.Constant(value=str() as name)
        ):
            return f'dlt.secrets["{name}"]'
    raise SpecError(
        f"{ast.unparse(node).splitlines()[0][:60]} is more than a literal; allowed are texts, numbers, True, False, "
        f'None, lists, dicts and dlt.secrets["name"]',
        f"line {node.lineno}",
    )


def _mapping(keys: list[ast.expr | None], values: list[ast.expr]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in zip(keys, values, strict=True):
        name = _literal(key) if key else None
        if not isinstance(name, str):
            raise SpecError("the keys of a dict must be texts, and ** is not allowed", f"line {value.lineno}")
        if name in result:
            raise SpecError(f"key {name!r} is given twice", f"line {value.lineno}")
        result[name] = _literal(value)
    return result
