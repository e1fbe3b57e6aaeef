"""The proof of the state machines: arguments, error names, substitutions, variables, reachability, timeouts."""
