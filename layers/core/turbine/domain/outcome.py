"""How a run ended. Of several reports about one run the newest stays, in whatever order they arrive."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

CAUSE_MAX = 4096
LOG_LINES = 20
LOG_LINE_MAX = 1000
# A message holds at most 256 KB (SNS, EventBridge), an item 400 KB (DynamoDB).
LOG_TAIL_MAX_BYTES = 16 * 1024
TERMINAL = frozenset({"SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"})
LIVE = frozenset({"RUNNING", "PENDING_REDRIVE"})
SUPERSEDED = "SUPERSEDED"
NOT_STARTED = "RunNotStarted"


class FailedJob(NamedTuple):
    """What the cause of a failed Batch task tells about its job."""

    job_id: str
    reason: str


def order(attempt: int, redrive: int, event_time: str) -> str:
    """Text that is greater for a newer outcome: attempt, then redrive, then the time it ended.

    Units: `event_time` is ISO 8601 in UTC, so that it compares as text.
    """
    return f"{attempt:06d}#{redrive:06d}#{event_time}"


def superseded(run_id: str, team: str, execution_arn: str, ended_at: str) -> dict[str, Any]:
    """The outcome of a run that was prepared and never started; any other is newer."""
    cause = "A newer version of the manifest was there before this one's run could start."
    item = _without_execution(run_id, team, execution_arn, ended_at, order(0, 0, ended_at))
    return item | {"status": SUPERSEDED, "cause": cause, "event_id": execution_arn, "announced": True}


def not_started(run_id: str, team: str, execution_arn: str, found_at: str, why: str | None = None) -> dict[str, Any]:
    """The outcome of a run that was accepted and has no execution; should it be started later, that one's is newer.

    `why` is the error by which Step Functions refused to, where it is known.
    """
    from turbine.domain import failure  # for those who get this far: every function imports this module

    kind = failure.classify("FAILED", why, None) if why else "unknown"
    item = _without_execution(run_id, team, execution_arn, found_at, order(1, 0, found_at))
    return item | {
        "status": "FAILED",
        "error": NOT_STARTED,
        "cause": f"Step Functions did not start its execution: {why or 'its fan-out ended before it could tell why'}.",
        "failure_class": kind,
        "next_step": failure.next_step(kind, run_id),
        "event_id": f"sweep of {execution_arn}",
        "announced": False,
    }


def _without_execution(run_id: str, team: str, execution_arn: str, ended_at: str, placed: str) -> dict[str, Any]:
    return {
        "pk": f"RUN#{run_id}",
        "sk": "OUTCOME",
        "run_id": run_id,
        "team": team,
        "attempt": 0,
        "order": placed,
        "ended_at": ended_at,
        "event_time": ended_at,
        "error": None,
        "failure_class": None,
        "next_step": None,
        "log_tail": [],
        "decision": None,
        "trained_s": None,
        "execution_arn": execution_arn,
    }


def failed_job(cause: str) -> FailedJob | None:
    """The Batch job behind a cause, or None when the failure was not a job's.

    `.sync` gives the job's description as JSON, which Step Functions may cut: then only the id is
    taken, which stands before the long parts. `judge_training` names the job in its message.
    """
    try:
        described: Any = json.loads(cause)
    except ValueError:
        found = re.search(r'"JobId"\s*:\s*"([^"]+)"', cause)
        return None if found is None else FailedJob(found.group(1), "")
    if not isinstance(described, dict):
        return None
    if "JobId" not in described:
        named = re.match(r"Batch job (\S+):", str(described.get("errorMessage", "")))
        return None if named is None else FailedJob(named.group(1), "")
    return FailedJob(str(described["JobId"]), _reason(described))


def short_cause(cause: str) -> str:
    """A cause that fits a record and a screen: a job's reason, or a function's message without its traceback."""
    job = failed_job(cause)
    if job is not None and job.reason:
        cause = f"Batch job {job.job_id}: {job.reason}"
    return _cut(_message(cause) or cause, CAUSE_MAX)


def _message(cause: str) -> str:
    """What a function raised: Lambda gives `{"errorMessage", "errorType", "stackTrace"}`."""
    try:
        raised: Any = json.loads(cause)
    except ValueError:
        return ""
    return str(raised.get("errorMessage") or "") if isinstance(raised, dict) else ""


def short_tail(lines: Sequence[str]) -> list[str]:
    """A log's last lines, each cut, and as many as fit a message.

    A line is measured as JSON without anything but ASCII, which is the longest that it is ever written.
    """
    kept: list[str] = []
    room = LOG_TAIL_MAX_BYTES
    for line in reversed(lines):
        short = _cut(line, LOG_LINE_MAX)
        room -= len(json.dumps(short))
        if room < 0:
            break
        kept.append(short)
    return kept[::-1]


def _cut(text: str, max_characters: int) -> str:
    return text if len(text) <= max_characters else text[: max_characters - 1] + "…"


def _reason(described: dict[str, Any]) -> str:
    container = described.get("Container") or {}
    parts = [described.get("StatusReason"), container.get("Reason")]
    if container.get("ExitCode") is not None:
        parts.append(f"exit code {container['ExitCode']}")
    return ", ".join(str(part) for part in parts if part)
