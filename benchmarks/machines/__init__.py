"""Machines of one's own on this one, Dagster with Celery workers on them, and what is measured there."""
