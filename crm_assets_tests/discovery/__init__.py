"""Discovery, against a server that knows nothing of the product."""
