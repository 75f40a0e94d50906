"""Reference pages of systems, made from their declarations."""
