"""Airbyte low-code manifests made into declarations."""
