"""The state of an alarm from its last datapoints, missing ones treated as it asks.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
EXTRA_PERIODS = 2
"""How many periods beyond the evaluation periods are looked at; AWS's example for three periods looks at five."""

COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def state(breaches: Sequence[bool | None], periods: int, to_alarm: int, treatment: str) -> str | None:
    """The state that datapoints give, the oldest first, None for a missing one; None to keep the state there is.

    `periods` are the evaluation periods, `to_alarm` how many of them must breach.
    """
    real = [breach for breach in breaches if breach is not None]
    if not real:
        return {"breaching": ALARM, "notBreaching": OK, "ignore": None}.get(treatment, INSUFFICIENT_DATA)
    missing = max(0, periods - len(real))
    breaching = sum(real[-periods:])
    if treatment == "breaching":
        breaching += missing
    if breaching >= to_alarm:
        return ALARM
    if missing and treatment in ("missing", "ignore") and _breaches_since(breaches, periods, to_alarm):
        return ALARM if treatment == "missing" else None
    return OK


def _breaches_since(breaches: Sequence[bool | None], periods: int, to_alarm: int) -> bool:
    """Whether nothing but breaches is known, and the oldest of them is as old as would be enough of them."""
    if any(breach is False for breach in breaches):
        return False
    window = list(breaches)[-periods:]
    ages = [len(window) - place for place, breach in enumerate(window) if breach]
    return bool(ages) and max(ages) >= to_alarm
