"""``crm-assets``: the group of all commands; each is declared in a module of ``commands.verbs``."""

from __future__ import annotations

import click

from crm_assets.commands.terminal import ErrorsAsLines
from crm_assets.commands.verbs.demo import demo_command
from crm_assets.commands.verbs.discover import discover_command
from crm_assets.commands.verbs.docs import docs_command
from crm_assets.commands.verbs.doctor import doctor_command
from crm_assets.commands.verbs.export_dbt import export_dbt_command
from crm_assets.commands.verbs.export_dlt import export_dlt_command
from crm_assets.commands.verbs.import_source import import_command
from crm_assets.commands.verbs.init import init_command
from crm_assets.commands.verbs.migrate import migrate_command
from crm_assets.commands.verbs.plan import plan_command
from crm_assets.commands.verbs.preview import preview_command
from crm_assets.commands.verbs.report import report_command
from crm_assets.commands.verbs.sandbox import sandbox_command
from crm_assets.commands.verbs.sync import sync_command


@click.group(
    cls=ErrorsAsLines,
    commands=[
        demo_command,
        discover_command,
        docs_command,
        doctor_command,
        export_dbt_command,
        export_dlt_command,
        import_command,
        init_command,
        migrate_command,
        plan_command,
        preview_command,
        report_command,
        sandbox_command,
        sync_command,
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="crm_assets")
@click.pass_context
def main(context: click.Context) -> None:
    """CRM data in your warehouse, through Dagster."""
    from crm_assets.commands.startup import quiet_libraries, read_env_file
    from crm_assets.commands.workspace import Workspace
    from crm_assets.settings import Settings

    quiet_libraries()
    read_env_file()
    context.obj = Workspace(Settings.from_env())


def run() -> None:
    """Run the command ``crm-assets``."""
    from crm_assets.commands.fast_exit import run_and_exit

    run_and_exit(main)


if __name__ == "__main__":
    run()
