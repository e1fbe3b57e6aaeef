"""Runs functions as Lambda does: `code` lays them out, `environment` is one process, `pool` keeps it warm."""
