"""Asset keys, names and run tags: what Dagster calls the things of a connection."""

from __future__ import annotations

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource

CONNECTION_TAG = "crm/connection"
MODE_TAG = "crm/mode"
"""Run tag: lists or windows; asset tag: the mode of a table's reads."""
SYSTEM_TAG = "crm/system"
"""Asset tag of the tables: the system they are read from."""
FULL_TAG = "crm/full"
"""Run tag that turns incremental reads into full refreshes."""
FRESH_TAG = "crm/fresh"
"""Run tag that makes reads start over instead of resuming what an interrupted run has read."""


def asset_key(connection: Connection, resource: str) -> dg.AssetKey:
    """Return the key of a resource's table."""
    return dg.AssetKey([*connection.key_prefix, connection.name, resource])


def api_key(connection: Connection) -> dg.AssetKey:
    """Return the key of the API that a connection reads."""
    return dg.AssetKey([*connection.key_prefix, "api", connection.name])


def report_key(connection: Connection) -> dg.AssetKey:
    """Return the key of the report on a connection and those beside it."""
    return dg.AssetKey([*connection.key_prefix, "crm_report"])


def group_name(connection: Connection) -> str:
    """Return the group of a connection's assets."""
    return connection.group or connection.name


def qualified_name(connection: Connection) -> str:
    """Return a name for a connection's steps and jobs that is unique in a code location."""
    return "__".join([*connection.key_prefix, connection.name])


def partitions_kind(resource: Resource) -> str:
    """Return the kind of partitions, shared by the resources of a step: grain and days ahead; empty without one."""
    return f"{resource.window.grain}{resource.window.days_ahead or ''}" if resource.window else ""
