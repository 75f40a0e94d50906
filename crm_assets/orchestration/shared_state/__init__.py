"""What all machines share beside the destination, in the PostgreSQL of the Dagster instance: rates and tokens."""
