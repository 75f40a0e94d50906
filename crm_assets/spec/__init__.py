"""The dialect: what a system, a vendor profile and a connection may say, and how they are read."""

from crm_assets.spec.columns import Column, ColumnType
from crm_assets.spec.connections import Connection, load_connections
from crm_assets.spec.endpoint import Endpoint
from crm_assets.spec.errors import SpecError
from crm_assets.spec.load import available_systems, load_system
from crm_assets.spec.system import Resource, System

__all__ = [
    "Column",
    "ColumnType",
    "Connection",
    "Endpoint",
    "Resource",
    "SpecError",
    "System",
    "available_systems",
    "load_connections",
    "load_system",
]
