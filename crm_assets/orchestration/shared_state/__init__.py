"""What machines share beside the destination, in the instance's PostgreSQL: rates, tokens, run locks, journals."""
