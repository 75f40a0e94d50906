"""Walking a list from its first page to its proven end."""
