"""Why a run failed, as one of a few classes, and what to type next. The first line of the table that fits decides.

Names are Step Functions' errors: those of functions are their classes' (`domain/errors.py`), those of services come
with the service before the dot. Where a name says too little (`States.TaskFailed`, `TrainingFailedError`) the words of
the cause are looked at, which are AWS Batch's or the service's own.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html,
https://docs.aws.amazon.com/batch/latest/userguide/job_states.html (CAPACITY:…, MISCONFIGURATION:…),
https://docs.aws.amazon.com/batch/latest/userguide/spot-retry-strategies.html ("Host EC2 …")
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

FailureClass = Literal[
    "host_reclaim",
    "capacity",
    "out_of_memory",
    "data",
    "configuration",
    "code",
    "timeout",
    "throttling",
    "permission",
    "stopped",
    "unknown",
]


class _Line(NamedTuple):
    kind: FailureClass
    error: str
    cause: str = ""


_TABLE = (
    _Line("data", "TrainingDataError"),
    _Line("configuration", "TrainingConfigurationError"),
    _Line("code", "TrainingBugError"),
    _Line("out_of_memory", "TrainingOutOfMemoryError"),
    _Line("timeout", "TrainingTimedOutError|States\\.Timeout|States\\.HeartbeatTimeout|Sandbox\\.Timedout"),
    _Line("host_reclaim", "TrainingInterruptedError"),
    _Line("permission", ".*(AccessDenied|NotAuthorized|Unauthorized).*"),
    _Line("throttling", "TryAgainError|.*(Throttl|TooManyRequests|Throughput|LimitExceeded).*"),
    _Line("permission", ".*", "AccessDenied|not authorized to perform"),
    _Line("host_reclaim", ".*", "Host EC2"),
    _Line("capacity", ".*", "CAPACITY:|INSUFFICIENT_INSTANCE_CAPACITY|insufficient capacity"),
    _Line("configuration", ".*", "MISCONFIGURATION:"),
    _Line("out_of_memory", ".*", "OutOfMemoryError"),
    _Line("throttling", ".*", "Throttling|Rate exceeded|Too Many Requests|SlowDown"),
    _Line("code", "Artifact(Missing|Corrupt)Error|States\\.(Runtime|QueryEvaluationError|DataLimitExceeded)"),
    _Line("code", "Lambda\\.Unknown|.*ValidationException"),
)
_COMPILED = tuple((line.kind, re.compile(line.error), re.compile(line.cause)) for line in _TABLE)

_NEXT: dict[FailureClass, str] = {
    "host_reclaim": "go on from the last checkpoint: turbine redrive {run_id}",
    "capacity": "wait for capacity or ask for more (turbine check --account), then: turbine redrive {run_id}",
    "out_of_memory": "lower batch_size or take a larger instance, then drop the manifest: turbine drop FILE",
    "data": "mend the data set, then drop the manifest: turbine drop FILE",
    "configuration": "mend the manifest or the stack's parameters, then: turbine drop FILE",
    "code": "read the last lines, mend and deploy, then: turbine redrive {run_id}",
    "timeout": "raise AttemptTimeoutSeconds if it needs more time, then go on: turbine redrive {run_id}",
    "throttling": "AWS was busy for long; go on: turbine redrive {run_id}",
    "permission": "grant what the cause names (sam deploy), then: turbine redrive {run_id}",
    "stopped": "go on with it, if it shall: turbine redrive {run_id}",
    "unknown": "read the cause and the last lines, then: turbine redrive {run_id}",
}


def classify(status: str, error: str | None, cause: str | None) -> FailureClass | None:
    """The class of a run's end; None for one that has not failed.

    `status` is the execution's. The words of a stopped execution are a person's, and are not looked at.
    """
    if status == "SUCCEEDED":
        return None
    if status == "ABORTED":
        return "stopped"
    if status == "TIMED_OUT":
        return "timeout"
    for kind, name, words in _COMPILED:
        if name.fullmatch(error or "") and words.search(cause or ""):
            return kind
    return "unknown"


def next_step(kind: FailureClass | None, run_id: str) -> str | None:
    """What to do about it, with the command to type."""
    return None if kind is None else _NEXT[kind].format(run_id=run_id)
