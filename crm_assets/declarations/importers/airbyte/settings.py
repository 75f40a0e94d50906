"""Settings of a manifest's specification, as parameters and secrets of a connection."""

from __future__ import annotations

import re
from typing import Any

from jinja2 import nodes

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.airbyte.expressions import Named, NoCounterpartError, parts, value_of
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.spellings.names import snake_case


class ManifestSettings:
    """The settings, and which of them the declaration has used so far.

    Args:
        manifest: The manifest, resolved.
        notes: Takes what is assumed.
    """

    def __init__(self, manifest: Document, notes: Notes) -> None:
        self._notes = notes
        specification = manifest.get("spec", {}).get("connection_specification", {})
        self._known: dict[tuple[str, ...], Document] = {}
        self._collect(specification, ())
        self.params: Document = {}

    def _collect(self, schema: Any, above: tuple[str, ...]) -> None:
        if not isinstance(schema, dict):
            return
        for name, each in (schema.get("properties") or {}).items():
            path = (*above, name)
            self._known[path] = each if isinstance(each, dict) else {}
            self._collect(each, path)
        for option in schema.get("oneOf") or ():
            self._collect(option, above)

    def is_secret(self, path: tuple[str, ...]) -> bool:
        """Whether a setting is declared to be a secret."""
        return bool(self._known.get(path, {}).get("airbyte_secret"))

    def is_date(self, path: tuple[str, ...]) -> bool:
        """Whether a setting is the day to begin with, which a connection says by ``start_date``."""
        schema = self._known.get(path, {})
        return schema.get("format") in ("date", "date-time") or "date" in path[-1]

    def secret(self, text: Any) -> str:
        """Return the name of the secret a template names.

        Raises:
            NoCounterpartError: It is not one setting.
        """
        found = self._only(text)
        return _setting_name(found.path)

    def secret_name(self, found: Named) -> str:
        """Return the name of the secret for a setting."""
        return _setting_name(found.path)

    def _only(self, text: Any) -> Named:
        found = [self._settings_in(part) for part in parts(str(text)) if isinstance(part, nodes.Expr)]
        if len(found) != 1 or found[0] is None:
            raise NoCounterpartError(f"{text!r} is not one setting")
        return found[0]

    def _settings_in(self, node: nodes.Expr) -> Named | None:
        found = value_of(node)
        if isinstance(found, Named) and found.root == "config" and found.path:
            return found
        return next(
            (
                one
                for one in map(value_of, node.find_all((nodes.Getattr, nodes.Getitem, nodes.Call)))
                if isinstance(one, Named) and one.root == "config" and one.path
            ),
            None,
        )

    def template(self, text: Any) -> Any:
        """Return a template of the manifest as one of the declaration; settings it names become parameters.

        Raises:
            NoCounterpartError: It holds more than texts and settings.
        """
        if isinstance(text, dict):
            return {self.template(key): self.template(value) for key, value in text.items()}
        if isinstance(text, list):
            return [self.template(item) for item in text]
        if not isinstance(text, str) or ("{{" not in text and "{%" not in text):
            return text
        return "".join(part if isinstance(part, str) else self._filled(part, text) for part in parts(text))

    def _filled(self, node: nodes.Expr, text: str) -> str:
        match node:
            case nodes.CondExpr(expr1=nodes.Const(value=other), expr2=nodes.Const(value=value)):
                self._notes.add("assumed", f"{value!r}, where a setting could say {other!r}")
                return str(value)
        found = value_of(node)
        if not isinstance(found, Named) or found.root != "config" or not found.path:
            raise NoCounterpartError(f"{' '.join(text.split())[:80]!r} has no counterpart")
        return f"{{{self.param(found)}}}"

    def param(self, found: Named) -> str:
        """Return the name of the parameter for a setting; a connection gives it."""
        name = _setting_name(found.path)
        schema = self._known.get(found.path, {})
        default = found.default if found.default is not None else schema.get("default")
        param: Document = {"description": _sentence(schema) or f"The setting {'.'.join(found.path)}"}
        examples = schema.get("examples") or schema.get("enum") or []
        if examples and isinstance(examples, list) and isinstance(examples[0], (str, int)):
            param["example"] = str(examples[0])
        if isinstance(default, (str, int)) and not isinstance(default, bool):
            param["default"] = default
        elif isinstance(default, bool):
            param["default"] = str(default).lower()
        self.params.setdefault(name, param)
        return name


def is_plain(value: Any) -> bool:
    """Whether a value holds no expression."""
    return not isinstance(value, str) or ("{{" not in value and "{%" not in value)


def _setting_name(path: tuple[str, ...]) -> str:
    return re.sub(r"_(\d)", r"\1", snake_case(path[-1]).strip("_"))


def _sentence(schema: Document) -> str:
    text = re.sub(r"<[^>]+>", "", str(schema.get("title") or schema.get("description") or ""))
    return re.sub(r"\s+", " ", text).replace("{", "(").replace("}", ")").strip()[:200]
