"""Configurations of dlt's REST API source, as data or made by Python, turned into declarations."""
