"""``crm-assets sync``: runs side by side, their results, and what is left when a process dies."""
