"""One module a function: what it does, said with ports."""
