"""The only import of dagster-embedded-elt, and fixes for what its resource gets wrong.

``dagster_embedded_elt.dlt`` re-exports ``dagster_dlt`` and pins Dagster; where it is not installed, ``dagster_dlt``
itself serves, so that the same code runs on the newest Dagster.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import dagster as dg
from dlt import Pipeline
from dlt.extract import DltResource, DltSource

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    try:
        from dagster_embedded_elt.dlt import DagsterDltResource, DagsterDltTranslator, build_dlt_asset_specs
    except ImportError:
        from dagster_dlt import DagsterDltResource, DagsterDltTranslator, build_dlt_asset_specs

SpecOf = Callable[[str], dg.AssetSpec]
"""Resource name to asset spec."""


class CrmTranslator(DagsterDltTranslator):
    """The single place where keys, parents, groups, kinds and columns are given to dlt's resources."""

    def __init__(self, spec_of: SpecOf) -> None:
        super().__init__()
        self._spec_of = spec_of

    def get_asset_spec(self, data: Any) -> dg.AssetSpec:
        """Return the spec of a dlt resource; dagster-dlt's own would invent parents that do not exist."""
        return self._spec_of(data.resource.name)


def asset_specs(source: DltSource, spec_of: SpecOf) -> list[dg.AssetSpec]:
    """Return the asset specs of a dlt source. No pipeline is made for it: making one writes folders."""
    specs = build_dlt_asset_specs(source, cast("Pipeline", None), CrmTranslator(spec_of))
    return [spec.replace_attributes(metadata=_public(spec.metadata)) for spec in specs]


def _public(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the live dlt objects that the spec builder leaves in the metadata."""
    return {key: value for key, value in metadata.items() if not key.startswith("dagster_dlt/")}


class StagedDltResource(DagsterDltResource):
    """Runs a dlt pipeline over verified files.

    It differs from its base where that loses or breaks something: metadata is read without taking the live dlt schema
    apart (dagster#34052), zero rows are a number (dagster#33575), tables are named database.schema.table, tables that
    are no assets may ride along, and local state is not dropped, since every run has its own.
    """

    def run(  # type: ignore[override]  # the base takes what is needed here as optional
        self,
        context: dg.AssetExecutionContext,
        dlt_source: DltSource,
        dlt_pipeline: Pipeline,
        dagster_dlt_translator: CrmTranslator,
        **kwargs: Any,
    ) -> Iterator[dg.MaterializeResult[Any]]:
        """Load a source and yield one result per selected asset it loaded."""
        load_info = dlt_pipeline.run(dlt_source, **kwargs)
        load_info.raise_on_failed_jobs()
        for resource in dlt_source.selected_resources.values():
            if resource.name.endswith("__rejected"):
                continue
            key = dagster_dlt_translator._spec_of(resource.name).key
            yield dg.MaterializeResult(
                asset_key=key, metadata=self.extract_resource_metadata(context, resource, load_info, dlt_pipeline)
            )

    def extract_resource_metadata(
        self,
        context: Any,  # noqa: ARG002 - the base's signature
        resource: DltResource,  # noqa: ARG002 - the base's signature
        load_info: Any,
        dlt_pipeline: Pipeline,  # noqa: ARG002 - the base's signature
    ) -> Mapping[str, Any]:
        """Return what dlt calls its load; it ran to make the table, and not for a load into one that was there."""
        return {"dlt_load_id": ", ".join(load_info.loads_ids)}
