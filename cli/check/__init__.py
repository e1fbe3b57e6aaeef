"""Proofs that need no account: what of the templates and the machines can be shown to be right by reading alone."""
