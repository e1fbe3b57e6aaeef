"""boto3 clients, each made when it is first used and then kept."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

# Functions retry what they were asked for as a whole, so a single call need not wait for minutes.
CONFIG = Config(retries={"mode": "standard", "max_attempts": 4}, connect_timeout=5, read_timeout=60)


@cache
def client(service: str) -> Any:
    """The client of a service, with endpoint, Region and credentials from the standard variables."""
    return boto3.client(service, config=CONFIG)  # type: ignore[call-overload]
