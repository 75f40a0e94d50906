"""One connection's lists as verified Parquet files."""
