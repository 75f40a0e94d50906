"""Discovery: what an API says of its lists when it is asked a few polite questions."""
