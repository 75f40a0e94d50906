"""What every Dagster project on dlt pays before it does anything: the two imports."""

import dagster  # noqa: F401 - the import is what is measured
import dlt  # noqa: F401 - the same
