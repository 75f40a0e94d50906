"""One module per verb of the command line: the result first, its rendering last."""
