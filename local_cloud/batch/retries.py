"""What follows a failed attempt: another one, or the end.

Source: https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

TIMED_OUT = "Job attempt duration exceeded timeout"


class Next(Enum):
    """What becomes of a job after an attempt."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    ANOTHER_ATTEMPT = "RUNNABLE"


@dataclass(frozen=True)
class AttemptEnd:
    """How an attempt ended, in the words that rules match. `is_last`: whatever the rules say, there is no other."""

    exit_code: int | None
    status_reason: str
    reason: str = ""
    is_last: bool = False


def next_after(strategy: Mapping[str, Any] | None, attempt: int, end: AttemptEnd) -> Next:
    """What follows attempt `attempt`. One that took too long failed, whatever its code says, and is the last.

    Source: https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html
    """
    if end.status_reason == TIMED_OUT or end.is_last:
        return Next.FAILED
    if end.exit_code == 0:
        return Next.SUCCEEDED
    return Next.ANOTHER_ATTEMPT if tries_again(strategy, attempt, end) else Next.FAILED


def tries_again(strategy: Mapping[str, Any] | None, attempt: int, end: AttemptEnd) -> bool:
    """Whether Batch starts attempt `attempt` + 1. Rules decide in their order; no match means another try."""
    if attempt >= int((strategy or {}).get("attempts") or 1):
        return False
    for rule in (strategy or {}).get("evaluateOnExit") or []:
        if _matches(rule, end):
            return str(rule["action"]).upper() == "RETRY"
    return True


def _matches(rule: Mapping[str, Any], end: AttemptEnd) -> bool:
    """All conditions of a rule hold. Patterns are compared without case and may end in `*`."""
    code = "" if end.exit_code is None else str(end.exit_code)
    conditions = (("onExitCode", code), ("onStatusReason", end.status_reason), ("onReason", end.reason))
    return all(_glob(rule[name], value) for name, value in conditions if rule.get(name))


def _glob(pattern: str, value: str) -> bool:
    """`*` at a pattern's end stands for anything; a value that is not there matches nothing."""
    if not value:
        return False
    pattern, value = pattern.lower(), value.lower()
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


MOST_ATTEMPTS = 10
MOST_RULES = 5
_LONGEST_PATTERN = 512
_CONDITIONS = ("onStatusReason", "onReason", "onExitCode")
_EXIT_CODE = re.compile(r"\d*\*?")


def check(strategy: Mapping[str, Any] | None) -> None:
    """Raises: ValueError naming what AWS would not take of a retry strategy."""
    strategy = strategy or {}
    attempts = strategy.get("attempts")
    if attempts is not None and not 1 <= int(attempts) <= MOST_ATTEMPTS:
        raise ValueError(f"retryStrategy attempts must be between 1 and {MOST_ATTEMPTS}")
    rules = strategy.get("evaluateOnExit") or []
    if len(rules) > MOST_RULES:
        raise ValueError(f"retryStrategy evaluateOnExit must have at most {MOST_RULES} conditions")
    if rules and attempts is None:
        raise ValueError("retryStrategy attempts must be given with evaluateOnExit")
    for rule in rules:
        _check_rule(rule)


def _check_rule(rule: Mapping[str, Any]) -> None:
    if str(rule.get("action", "")).upper() not in ("RETRY", "EXIT"):
        raise ValueError("evaluateOnExit action must be RETRY or EXIT")
    patterns = [str(rule[name]) for name in _CONDITIONS if rule.get(name)]
    if not patterns:
        raise ValueError(f"evaluateOnExit needs one of {', '.join(_CONDITIONS)}")
    if any(len(pattern) > _LONGEST_PATTERN or "*" in pattern[:-1] for pattern in patterns):
        raise ValueError(f"evaluateOnExit patterns have at most {_LONGEST_PATTERN} characters, and * at their end only")
    if _EXIT_CODE.fullmatch(str(rule.get("onExitCode") or "")) is None:
        raise ValueError("evaluateOnExit onExitCode must be digits, and may end in *")
