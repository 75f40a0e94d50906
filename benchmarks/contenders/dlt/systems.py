"""One bare dlt pipeline per system, as documented: five processes, one after another, into one file."""

import json
import os
import subprocess
import sys

import dlt


def one(name, resources):
    """Run the pipeline of one system."""
    from dlt.sources.rest_api import rest_api_source
    from source import config

    source = rest_api_source(config(f"{os.environ['BENCH_URL']}/{name}/", resources), name=name)
    destination = dlt.destinations.duckdb("warehouse.duckdb")
    dlt.pipeline(name, destination=destination, dataset_name=name).run(source)


if __name__ == "__main__":
    systems = json.loads(os.environ["BENCH_SYSTEMS"])
    if len(sys.argv) > 1:
        one(sys.argv[1], systems[sys.argv[1]])
    else:
        for system in systems:
            subprocess.run([sys.executable, __file__, system], check=True)
