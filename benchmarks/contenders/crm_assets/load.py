"""Load the project's code location the way Dagster does: import it and resolve every definition."""

from crm_assets.definitions import defs

if __name__ == "__main__":
    defs().get_repository_def()
