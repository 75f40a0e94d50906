"""CRM data in your warehouse, through Dagster.

A Dagster project of yours needs two names: :class:`CrmComponent` in a ``defs.yaml``, or :func:`build_defs` in Python.
Both are imported when they are used, so that ``import crm_assets`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_assets.orchestration.build import build_defs
    from crm_assets.orchestration.component import CrmComponent

__all__ = ["CrmComponent", "build_defs"]


def __getattr__(name: str) -> Any:
    if name == "build_defs":
        from crm_assets.orchestration.build import build_defs

        return build_defs
    if name == "CrmComponent":
        from crm_assets.orchestration.component import CrmComponent

        return CrmComponent
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
