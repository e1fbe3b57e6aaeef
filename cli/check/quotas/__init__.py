"""The quota proof: the worst case that schemas, code, templates and machines allow, against every limit of AWS's."""
