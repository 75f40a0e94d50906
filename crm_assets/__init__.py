"""CRM data in your warehouse, through Dagster: one declaration per system, everything else derived."""

__version__ = "0.1.0"
