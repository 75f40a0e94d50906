"""The report: what is right and wrong with the tables, and what changed, as one page."""
