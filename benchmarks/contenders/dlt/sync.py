"""dlt's rest_api into DuckDB, merge: as documented, or tuned; by itself, or through dagster-dlt."""

import argparse
import os

import dlt


def settings():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tuned", action="store_true", help="Parquet, no nesting, no gzip, parallel")
    parser.add_argument("--parquet", action="store_true", help="Parquet and nothing else")
    parser.add_argument("--dagster", action="store_true", help="through dlt_assets and materialize()")
    return parser.parse_args()


def pipeline():
    """Return the pipeline; its file lies in the working folder."""
    return dlt.pipeline("bench", destination=dlt.destinations.duckdb("warehouse.duckdb"), dataset_name="bench")


def through_dagster(source, options):
    """Materialize the source's assets in this process."""
    from dagster import AssetExecutionContext, materialize
    from dagster_dlt import DagsterDltResource, dlt_assets

    @dlt_assets(dlt_source=source, dlt_pipeline=pipeline(), name="bench")
    def assets(context: AssetExecutionContext, dlt_resource: DagsterDltResource):
        yield from dlt_resource.run(context=context, **options)

    assert materialize([assets], resources={"dlt_resource": DagsterDltResource()}).success


if __name__ == "__main__":
    chosen = settings()
    if chosen.tuned:
        os.environ["NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION"] = "true"
        os.environ["EXTRACT__DATA_WRITER__DISABLE_COMPRESSION"] = "true"
    from source import records, tuned

    read = records(incremental=os.environ["BENCH_MODE"] == "cursor")
    read = tuned(read) if chosen.tuned else read
    run = {"loader_file_format": "parquet"} if chosen.tuned or chosen.parquet else {}
    through_dagster(read, run) if chosen.dagster else pipeline().run(read, **run)
