"""Powertools' Tracer, only where X-Ray listens.

X-Ray's SDK makes a client and reads botocore's endpoints when it is imported: a quarter of a second
of CPU. Lambda names its daemon in `AWS_XRAY_DAEMON_ADDRESS`; without a daemon there is nobody to
send a segment to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from turbine import settings

Handler = Callable[[Any, Any], Any]


def traced(handler: Handler) -> Handler:
    """A handler whose calls to AWS appear in X-Ray, under the handler's own subsegment."""
    if not settings.is_xray_listening():
        return handler
    from aws_lambda_powertools import Tracer

    tracer = Tracer(patch_modules=["botocore"])
    traced_handler: Handler = tracer.capture_lambda_handler(handler, capture_response=False)
    return traced_handler
