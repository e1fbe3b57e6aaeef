"""Turbine's shared library: what the functions, the jobs and the command have in common.

`domain` decides and knows no AWS; `ports` says what it needs from outside; `usecases` put both
together; `aws` is the only place with boto3; `wiring` is the only place that joins them.
"""

__version__ = "0.1.0"
