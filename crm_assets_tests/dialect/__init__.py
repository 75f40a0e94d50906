"""Declarations in other dialects, read to the same rows as by the engines they were written for."""
