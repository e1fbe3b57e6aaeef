"""What follows a failed attempt: another one, or the end.

Source: https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AttemptEnd:
    """How an attempt ended, in the words that rules match."""

    exit_code: int | None
    status_reason: str
    reason: str = ""


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
