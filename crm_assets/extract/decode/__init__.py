"""Pages of JSON into typed columns, nothing lost."""
