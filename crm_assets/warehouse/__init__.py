"""Verified files into tables, and questions to them."""
