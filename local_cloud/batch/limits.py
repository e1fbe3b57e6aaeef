"""Job state time limits: when the job that blocks a queue is cancelled. Pure: whoever asks says what time it is.

Source: https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html and
https://docs.aws.amazon.com/batch/latest/APIReference/API_JobStateTimeLimitAction.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

REASONS = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
)
SHORTEST_S, LONGEST_S = 600, 86_400


def check(actions: Sequence[Mapping[str, Any]]) -> None:
    """Raises: ValueError naming what AWS would not take."""
    for action in actions:
        if action.get("reason") not in REASONS:
            raise ValueError(f"jobStateTimeLimitActions reason must be one of {' | '.join(REASONS)}")
        if action.get("state") != "RUNNABLE":
            raise ValueError("jobStateTimeLimitActions state must be RUNNABLE")
        if action.get("action") != "CANCEL":
            raise ValueError("jobStateTimeLimitActions action must be CANCEL for queues of compute environments")
        if not SHORTEST_S <= int(action.get("maxTimeSeconds") or 0) <= LONGEST_S:
            raise ValueError(f"jobStateTimeLimitActions maxTimeSeconds must be between {SHORTEST_S} and {LONGEST_S}")


def due_at(actions: Sequence[Mapping[str, Any]], reason: str, blocked_at_ms: int) -> tuple[int, str] | None:
    """When a job blocked for `reason` since then is to be cancelled, in ms, and with which reason; None for never."""
    times = [
        (blocked_at_ms + int(action["maxTimeSeconds"]) * 1000, str(action["reason"]))
        for action in actions
        if reason.startswith(str(action["reason"]))
    ]
    return min(times, default=None)


def cancelled_by(reason: str) -> str:
    """The status reason of a job that a time limit ended."""
    return f"Canceled by JobStateTimeLimit action due to reason: {reason}"
