"""``crm_assets.CrmComponent``: CRM tables in a ``dg`` project, from one ``defs.yaml``."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from pydantic import BaseModel, Field

from crm_assets.orchestration.build import build_defs

_CONNECTIONS = """\
# The accounts of your company. `crm-assets doctor` tries them.
connections:
  - name: {name}            # asset key prefix, schema of the tables, section of the secrets
    system: {system}        # one of those in the reference, or a file of yours (add `systems: folder` above)
    # base_url: https://…   # where the system's page says so
"""


class CrmScaffoldParams(BaseModel):
    """Options of ``dg scaffold defs crm_assets.CrmComponent``."""

    name: str = Field(default="sales", description="Name of the first connection.")
    system: str = Field(default="sales_crm", description="System or vendor profile of the first connection.")


class CrmScaffolder(dg.Scaffolder[CrmScaffoldParams]):
    """Writes ``defs.yaml`` and, beside it, a connections file with one account."""

    @classmethod
    def get_scaffold_params(cls) -> type[CrmScaffoldParams]:
        """Return the options."""
        return CrmScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[CrmScaffoldParams]) -> None:
        """Write the files."""
        folder = Path(request.target_path)
        folder.mkdir(parents=True, exist_ok=True)
        params = request.params or CrmScaffoldParams()
        text = _CONNECTIONS.format(name=params.name, system=params.system)
        (folder / "connections.yaml").write_text(text, encoding="utf-8")
        dg.scaffold_component(request=request, yaml_attributes={"connections": "connections.yaml"})


@dg.scaffold_with(CrmScaffolder)
class CrmComponent(dg.Component, dg.Model, dg.Resolvable):
    """CRM accounts as tables: an asset with checks for every REST list, with jobs, schedules and sensors."""

    connections: str | None = Field(
        default=None,
        description="The connections file, relative to this defs.yaml. Default: CRM_ASSETS_CONNECTIONS, else "
        "connections.yaml in the working folder.",
        examples=["connections.yaml"],
    )
    data_dir: str | None = Field(
        default=None,
        description="Folder of the DuckDB file, rate limits and working files, relative to this defs.yaml. Default: "
        "CRM_ASSETS_DATA, else data in the working folder.",
        examples=["../../../data"],
    )
    destination: str | None = Field(
        default=None,
        description="Name of a dlt destination. Default: CRM_ASSETS_DESTINATION, else duckdb.",
        examples=["postgres"],
    )
    key_prefix: list[str] = Field(
        default_factory=list,
        description="What asset keys begin with: [*key_prefix, connection, resource].",
        examples=[["raw"]],
    )
    group: str | None = Field(
        default=None, description="One asset group for all tables. Default: a group for each connection."
    )
    automation: bool = Field(default=True, description="Whether jobs, schedules and sensors are included.")

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the definitions of the connections file.

        Raises:
            SpecError: The file or one of its connections cannot be used.
        """
        folder = context.path if context.path.is_dir() else context.path.parent
        return build_defs(
            self.connections and folder / self.connections,
            data_dir=self.data_dir and folder / self.data_dir,
            destination=self.destination,
            key_prefix=self.key_prefix,
            group=self.group,
            automation=self.automation,
        )
