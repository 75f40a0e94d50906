"""Tests of fetching and verifying."""
