"""What all machines share beside the destination, in the Dagster instance's PostgreSQL: rates, tokens, run locks."""
