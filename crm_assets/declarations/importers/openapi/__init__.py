"""OpenAPI 3 documents: their lists made into resources, and all assumptions listed."""
