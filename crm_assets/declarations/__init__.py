"""The dialect: what a system, a vendor profile and a connection may say, and how they are read."""

from crm_assets.declarations.connections import load_connections
from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.loader import available_systems, load_system
from crm_assets.declarations.models.columns import Column, ColumnType
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.endpoint import Endpoint
from crm_assets.declarations.models.resource import Resource
from crm_assets.declarations.models.system import System

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
