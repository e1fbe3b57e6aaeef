"""boto3 clients, each made when it is first used and then kept."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.exceptions import HTTPClientError

from turbine.domain.errors import TryAgainError

# Six tries in all, a few seconds apart at most. A call that AWS never answers takes a minute a try:
# there the function's own timeout comes first.
CONFIG = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=60)

# What botocore knows as throttling, and DynamoDB's conflict of a single write with a transaction.
# Source: https://docs.aws.amazon.com/boto3/latest/guide/retries.html (standard mode)
BUSY = frozenset(
    {
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


@cache
def client(service: str) -> Any:
    """The client of a service, with endpoint, Region and credentials from the standard variables.

    Its calls raise TryAgainError, after botocore's own retries, where AWS was busy, failed by itself
    or could not be reached: the machines retry a function by that name. Every other refusal stays a
    ClientError.
    """
    made = boto3.client(service, config=CONFIG)  # type: ignore[call-overload]
    made.meta.events.register("after-call", _raise_if_busy)
    made.meta.events.register("after-call-error", _raise_if_unreached)
    return made


def _raise_if_busy(parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
    status = parsed.get("ResponseMetadata", {}).get("HTTPStatusCode", 200)
    error = parsed.get("Error", {})
    if status >= 500 or error.get("Code") in BUSY:
        service = model.service_model.service_name
        raise TryAgainError(f"{service} {model.name}: {error.get('Code', status)} {error.get('Message', '')}".strip())


def _raise_if_unreached(exception: Exception, **_: Any) -> None:
    if isinstance(exception, HTTPClientError | NoConnectionError):
        raise TryAgainError(str(exception)) from exception
