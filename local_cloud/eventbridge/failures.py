"""Why a delivery failed, in the words of a dead letter, and whether trying again may help.

AWS retries throttling, time-outs and failures of the target; a missing permission, a missing target or a refused
request goes to the dead-letter queue at once.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
"""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    ParamValidationError,
    ReadTimeoutError,
)

_NO_PERMISSIONS = ("AccessDenied", "Unauthorized", "NotAuthorized", "Forbidden")
_NO_RESOURCE = ("DoesNotExist", "NotFound", "NonExistentQueue", "NoSuch", "ResourceNotFoundException")
_THROTTLING = ("Throttl", "TooManyRequests", "SlowDown", "RequestLimitExceeded", "ProvisionedThroughputExceeded")
_LONGEST_MESSAGE = 1_000


class DeliveryError(RuntimeError):
    """The target cannot take the event. `code` is that of a dead letter."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Failure:
    """`code` as a rule's dead letter has it, `cause` as the target's service named it (a schedule's has that)."""

    code: str
    cause: str
    message: str
    may_pass: bool


def describe(error: Exception) -> Failure:
    """What an exception of a sender means."""
    message = str(error)[:_LONGEST_MESSAGE] or type(error).__name__
    if isinstance(error, ClientError):
        cause = str(error.response["Error"]["Code"])
        status = int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        code, may_pass = _classify(cause, status)
        return Failure(code, cause, message, may_pass)
    if isinstance(error, DeliveryError):
        return Failure(error.code, error.code, message, may_pass=False)
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return Failure("TIMEOUT", type(error).__name__, message, may_pass=True)
    if isinstance(error, ParamValidationError):
        return Failure("INVALID_PARAMETER", type(error).__name__, message, may_pass=False)
    if isinstance(error, BotoCoreError | OSError):
        return Failure("CONNECTION_FAILURE", type(error).__name__, message, may_pass=True)
    if isinstance(error, ValueError):
        return Failure("INVALID_JSON", type(error).__name__, message, may_pass=False)
    return Failure("INTERNAL_ERROR", type(error).__name__, message, may_pass=False)


def _classify(cause: str, status: int) -> tuple[str, bool]:
    if status == 429 or any(name in cause for name in _THROTTLING):
        return "THROTTLING", True
    if status >= 500:
        return "ERROR_FROM_TARGET", True
    if any(name in cause for name in _NO_PERMISSIONS):
        return "NO_PERMISSIONS", False
    if any(name in cause for name in _NO_RESOURCE):
        return "NO_RESOURCE", False
    if "AlreadyExists" in cause:
        return "RESOURCE_ALREADY_EXISTS", False
    if "LimitExceeded" in cause:
        return "RESOURCE_LIMIT_EXCEEDED", False
    if "Invalid" in cause or "Validation" in cause:
        return "INVALID_PARAMETER", False
    return "SDK_CLIENT_ERROR", False
