"""What every Dagster project on dlt pays before it does anything: the two imports."""

import dagster  # noqa: F401
import dlt  # noqa: F401
