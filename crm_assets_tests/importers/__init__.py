"""Declarations made of what exists: configurations in Python, and manifests."""
