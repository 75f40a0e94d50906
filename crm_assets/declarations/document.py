"""What YAML and JSON files contain before they are validated."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]
"""A decoded mapping, of a declaration or of what is imported as one."""
