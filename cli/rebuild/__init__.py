"""Restoring the champions' items of a table that was lost, from the model registry and the artifact bucket."""
