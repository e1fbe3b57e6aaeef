"""What public scanners and our own rules say of templates and code, against one file of justified exceptions.

    python -m scans            all of them; exit code 1 for a finding, an unused or an expired exception

The scanners run in an environment of their own, which `make check-template` makes. Templates are scanned as AWS gets
them, after SAM's transform, which adds roles and permissions that nobody wrote.
"""
