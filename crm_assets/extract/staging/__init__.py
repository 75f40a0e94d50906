"""Decoded rows into Parquet files, every key once."""
