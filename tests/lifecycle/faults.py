"""What may happen to a Task: its request or reply is lost, its function dies, or the world moves on within it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple


class Kind(Enum):
    """Where a fault strikes. The last two strike inside a function, at its call number `at` to a port."""

    LOST_REQUEST = "lost_request"
    LOST_REPLY = "lost_reply"
    DEATH = "death"
    MEANWHILE = "meanwhile"


class Fault(NamedTuple):
    """A fault for the next Task that is called."""

    kind: Kind
    at: int = 0


# What Step Functions calls a request that it could not make or whose reply it did not get, by integration.
LOST = {
    "lambda": "Lambda.SdkClientException",
    "dynamodb": "DynamoDB.SdkClientException",
    "states": "StepFunctions.SdkClientException",
    "batch": "Batch.SdkClientException",
    "events": "EventBridge.SdkClientException",
    "aws-sdk:sagemaker": "SageMaker.SdkClientException",
    "aws-sdk:sfn": "Sfn.SdkClientException",
}
DIED = "Sandbox.Timedout"


class DiedError(BaseException):
    """The end of a function's process: nothing in it may catch this."""


class Ports:
    """What every function's calls go through, so that one may be its last, or others come in between."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self._meanwhile = meanwhile
        self._fault: Fault | None = None
        self._calls = 0

    def watched(self, target: Any) -> Any:
        """`target`, each of whose methods counts twice: before it works and after."""
        return _Watched(target, self._count)

    def call(self, function: Callable[[], Any], fault: Fault | None) -> Any:
        """Run a function's code. Raises: DiedError."""
        outer = self._fault, self._calls
        self._fault, self._calls = fault, 0
        try:
            return function()
        finally:
            self._fault, self._calls = outer

    def _count(self) -> None:
        fault, at = self._fault, self._calls
        self._calls += 1
        if fault is None or at != fault.at:
            return
        if fault.kind is Kind.DEATH:
            raise DiedError
        if fault.kind is Kind.MEANWHILE:
            self._meanwhile()


class _Watched:
    def __init__(self, target: Any, count: Callable[[], None]) -> None:
        self._target, self._count = target, count

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._count()
            result = attribute(*arguments, **named)
            self._count()
            return result

        return call

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._target(*arguments, **named)
