"""Requests, credentials, retries and the rate limit: one client for all requests of a connection."""
