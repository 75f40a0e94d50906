"""Connections to the instance's PostgreSQL, and our tables in it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg2

from crm_assets.extract.errors import ReadError

_CREATE_TABLES = """
CREATE TABLE IF NOT EXISTS crm_assets_rates (
  connection text PRIMARY KEY, state text, next_place bigint NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS crm_assets_departures (
  connection text, place bigint, moment double precision NOT NULL, PRIMARY KEY (connection, place)
);
CREATE TABLE IF NOT EXISTS crm_assets_tokens (
  connection text, login text, token text, draft text, PRIMARY KEY (connection, login)
);
CREATE TABLE IF NOT EXISTS crm_assets_runs (run_id text, part text, PRIMARY KEY (run_id, part));
CREATE UNLOGGED TABLE IF NOT EXISTS crm_assets_journals (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  connection text, resource text, binding text, began timestamptz NOT NULL DEFAULT now(),
  UNIQUE (connection, resource, binding)
);
CREATE UNLOGGED TABLE IF NOT EXISTS crm_assets_journal_entries (
  journal bigint REFERENCES crm_assets_journals ON DELETE CASCADE, place bigint, content bytea NOT NULL,
  PRIMARY KEY (journal, place)
);
"""
"""Journals are unlogged: they save requests, and are not worth the server's log; a crash of the server empties them."""
_SESSION = """
SET statement_timeout = '10s';
SET idle_in_transaction_session_timeout = '20s';
SET tcp_keepalives_idle = 15;
SET tcp_keepalives_interval = 5;
SET tcp_keepalives_count = 3;
SET tcp_user_timeout = '30s';
"""
"""Whatever a process holds here is free within 30 s after its machine is gone, and after 20 s if it is frozen.

Keepalives are not sent while an answer of the server is unacknowledged; the last setting is for that case.
"""
_CONNECT_SECONDS = 10
"""Seconds to wait for a connection."""


def connect(url: str) -> Any:
    """Return a new connection without transactions of its own, our tables made.

    Raises:
        psycopg2.Error: The server does not answer, or this account may not make tables.
    """
    connection = psycopg2.connect(url, connect_timeout=_CONNECT_SECONDS, application_name="crm_assets")
    try:
        connection.autocommit = True
        with closing(connection.cursor()) as cursor:
            cursor.execute(_SESSION)
            cursor.execute("SELECT to_regclass('crm_assets_journal_entries')")
            if cursor.fetchone() == (None,):
                # of several that make them at once, all but one would fail
                cursor.execute(
                    f"BEGIN; SELECT pg_advisory_xact_lock(hashtext('crm_assets.tables')); {_CREATE_TABLES} COMMIT"
                )
    except BaseException:  # also Ctrl-C: an unreferenced connection would stay open
        connection.close()
        raise
    return connection


def unreachable(what: str, error: psycopg2.Error) -> ReadError:
    """Return the error of shared state that cannot be read or written.

    Args:
        what: What was to be agreed on, such as "the rate limit of sales_crm".
        error: What the driver said.
    """
    return ReadError(
        f"{what} is kept in the PostgreSQL of the Dagster instance (storage in its dagster.yaml), which cannot be used "
        f"now: {said(error)}. Nothing is requested without it; run again when it answers"
    )


def said(error: psycopg2.Error) -> str:
    """Return what the driver said, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
