"""What the end of a training job means: there is a result, another job shall try, or the run has failed and why.

Only what an unlucky host did is tried again. Bad data, a bad configuration, a bug and too little memory would fail
again, on hardware that costs tens of dollars an hour; they end the run under a name of their own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, NamedTuple

from turbine.domain import errors

# A machine submits a few jobs for one run; more means that it goes round in circles.
SUBMISSIONS_MAX = 10
LOG_LINES = 100
# A log line may have 256 KB, a cause in Step Functions 32,768 characters.
WORDS_MAX = 2000


class Job(NamedTuple):
    """A Batch job as it stands. `exit_code` and `reason` are its container's; of several nodes, the main one's."""

    job_id: str
    status: str
    status_reason: str = ""
    exit_code: int | None = None
    reason: str = ""
    is_terminated: bool = False
    queue_arn: str = ""


class End(Enum):
    """How a job ended, if it has."""

    LIVE = auto()
    SUCCEEDED = auto()
    TERMINATED = auto()
    TIMED_OUT = auto()
    INTERRUPTED = auto()
    LEASE_HELD = auto()
    BAD_DATA = auto()
    BAD_CONFIGURATION = auto()
    BUG = auto()
    OUT_OF_MEMORY = auto()
    OTHER = auto()


# The exit codes of batch_jobs/training (sysexits.h; docs/contracts.md), and the kernel's for a process it killed.
EXIT_CODES = {
    65: End.BAD_DATA,
    70: End.BUG,
    73: End.LEASE_HELD,
    75: End.INTERRUPTED,
    78: End.BAD_CONFIGURATION,
    137: End.OUT_OF_MEMORY,
}
ERRORS: dict[End, type[errors.TrainingError]] = {
    End.TIMED_OUT: errors.TrainingTimedOutError,
    End.INTERRUPTED: errors.TrainingInterruptedError,
    End.BAD_DATA: errors.TrainingDataError,
    End.BAD_CONFIGURATION: errors.TrainingConfigurationError,
    End.BUG: errors.TrainingBugError,
    End.OUT_OF_MEMORY: errors.TrainingOutOfMemoryError,
}


def end_of(job: Job) -> End:
    """How a job ended. What was done to the job comes before its exit code, which then only follows from it.

    Source: https://docs.aws.amazon.com/batch/latest/userguide/spot-retry-strategies.html ("Host EC2 (instance i-…)
    terminated."), https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html,
    https://docs.aws.amazon.com/batch/latest/userguide/batch-job-failure.html ("OutOfMemoryError: Container killed
    due to memory usage")
    """
    if job.status != "FAILED":
        return End.SUCCEEDED if job.status == "SUCCEEDED" else End.LIVE
    if job.status_reason.startswith("Job attempt duration exceeded timeout"):
        return End.TIMED_OUT
    if job.is_terminated:
        return End.TERMINATED
    if job.status_reason.startswith("Host EC2"):
        return End.INTERRUPTED
    if job.reason.startswith("OutOfMemoryError"):
        return End.OUT_OF_MEMORY
    return End.OTHER if job.exit_code is None else EXIT_CODES.get(job.exit_code, End.OTHER)


def failure(job: Job, log: Sequence[str]) -> errors.TrainingError:
    """The error of a failed job, in the job's own words where its log has some."""
    kind = ERRORS.get(end_of(job), errors.TrainingFailedError)
    parts = [job.status_reason, job.reason, "" if job.exit_code is None else f"exit code {job.exit_code}"]
    ended = ", ".join(part for part in parts if part) or "it failed without a reason"
    return kind(f"Batch job {job.job_id}: {_words(log) or kind.advice} ({ended})")


def _words(log: Sequence[str]) -> str:
    """`message; mend` of the last `failed` line, cut to what a cause can hold."""
    for line in reversed(log):
        event = _event(line)
        if event.get("event") == "failed":
            words = [str(event[name])[: WORDS_MAX // 2] for name in ("message", "mend") if event.get(name)]
            return "; ".join(words)
    return ""


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:  # a library's line, or a traceback's
        return {}
    return event if isinstance(event, dict) else {}
