"""Whether a failed delivery is tried again, and when.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

MOST_RETRIES = 185
LONGEST_AGE_S = 86_400
SHORTEST_AGE_S = 60
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
"""AWS does not say how long it waits; here the first retry comes soon, and the pauses grow to a minute."""


class InvalidRetryPolicyError(ValueError):
    """A retry policy that AWS refuses."""


def check(policy: Mapping[str, Any] | None) -> None:
    """Raises: InvalidRetryPolicyError."""
    given = policy or {}
    retries, age_s = given.get("MaximumRetryAttempts"), given.get("MaximumEventAgeInSeconds")
    if retries is not None and not 0 <= retries <= MOST_RETRIES:
        raise InvalidRetryPolicyError(f"MaximumRetryAttempts {retries} is not between 0 and {MOST_RETRIES}")
    if age_s is not None and not SHORTEST_AGE_S <= age_s <= LONGEST_AGE_S:
        raise InvalidRetryPolicyError(
            f"MaximumEventAgeInSeconds {age_s} is not between {SHORTEST_AGE_S} and {LONGEST_AGE_S}"
        )


def pause_s(retries: int, random: Callable[[], float]) -> float:
    """How long to wait after `retries` retries failed: twice as long each time, of which up to half is chance."""
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(retries, 10))
    return longest * (1 - random() / 2)


def exhausted(policy: Mapping[str, Any] | None, retries: int, age_s: float) -> str | None:
    """The limit of a retry policy that a next attempt would pass, as a dead letter names it; None for none."""
    given = policy or {}
    if retries >= int(_or(given.get("MaximumRetryAttempts"), MOST_RETRIES)):
        return "MaximumRetryAttempts"
    if age_s > oldest_s(given):
        return "MaximumEventAgeInSeconds"
    return None


def oldest_s(policy: Mapping[str, Any] | None) -> float:
    """How old an event may be that is still delivered, in seconds."""
    return float(_or((policy or {}).get("MaximumEventAgeInSeconds"), LONGEST_AGE_S))


def _or(value: Any, default: float) -> Any:
    return default if value is None else value
