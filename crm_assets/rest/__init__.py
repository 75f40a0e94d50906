"""Fetch and verify: from a declaration to typed spools with a completeness proof."""
