"""The list as a dlt ``rest_api_source``, the way dlt's documentation declares one."""

import os

from dlt.sources.rest_api import rest_api_source


def config(base_url, resources, incremental=False):
    """Return the rest_api config of some lists at ``base_url``."""
    params = {"per_page": int(os.environ["BENCH_PER_PAGE"])}
    if incremental:
        params["updated_since"] = {
            "type": "incremental",
            "cursor_path": "updated_at",
            "initial_value": "2019-01-01T00:00:00Z",
        }
    paginator = {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": "meta.total_pages"}
    return {
        "client": {"base_url": base_url, "paginator": paginator},
        "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
        "resources": [
            {"name": name, "endpoint": {"path": name, "params": params, "data_selector": "records"}}
            for name in resources
        ],
    }


def records(incremental):
    """Return the source of the one list most scenarios read."""
    return rest_api_source(config(os.environ["BENCH_URL"] + "/", ["records"], incremental), name="bench")


def tuned(source):
    """Turn off what dlt's performance page advises to turn off, and let resources run in parallel."""
    source.max_table_nesting = 0
    for resource in source.resources.values():
        resource.parallelize()
    return source
