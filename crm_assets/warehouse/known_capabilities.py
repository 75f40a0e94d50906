"""A destination whose capabilities are resolved once per process.

dlt 1.31 asks a destination for them thirty times a load, and resolves its whole configuration each time: a third of the
time of a small load. A load makes several destinations, all of which can do the same.
"""

from __future__ import annotations

from typing import Any

from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.destination.reference import Destination
from dlt.common.normalizers.naming import NamingConvention

_known: dict[tuple[Any, ...], DestinationCapabilitiesContext] = {}
"""By class of destination and naming convention."""


class KnownCapabilities(Destination[Any, Any]):
    """Goes before a dlt destination among the bases of a class."""

    def capabilities(
        self, config: Any = None, naming: NamingConvention | None = None
    ) -> DestinationCapabilitiesContext:
        """Return a copy of the capabilities, which depend on nothing else than the arguments."""
        if config is not None or self.caps_params:
            return super().capabilities(config, naming)
        key = (type(self), naming and (type(naming), naming.max_length))
        if key not in _known:
            _known[key] = super().capabilities(naming=naming)
        copied: DestinationCapabilitiesContext = _known[key].copy()
        return copied
