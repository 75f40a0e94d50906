"""The models of the dialect: one frozen class per part of a declaration."""
