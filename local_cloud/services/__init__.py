"""One module a service; each lists what it replaces in moto as `REPLACEMENTS`."""
