"""Answers in pages; a token says how many datapoints or items came before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from moto.cloudwatch.exceptions import InvalidParameterValue

MOST_DATAPOINTS = 100_800
Item = TypeVar("Item")


def cut(items: Sequence[Item], most: int, token: str | None) -> tuple[list[Item], str | None]:
    """A page of items, and the token of the next. Raises: InvalidParameterValue for a token that is none."""
    first = _place(token)
    last = first + most
    return list(items[first:last]), str(last) if last < len(items) else None


def page(results: list[dict[str, Any]], most: int | None, token: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """A page of GetMetricData's results: at most so many datapoints, counted through all of them."""
    first = _place(token)
    last = first + min(int(most or MOST_DATAPOINTS), MOST_DATAPOINTS)
    passed, shown = 0, []
    for result in results:
        count = len(result["Values"])
        begin, end = max(0, first - passed), max(0, last - passed)
        passed += count
        is_whole = begin == 0 and end >= count
        if is_whole or begin < count:
            part = {name: result[name][begin:end] for name in ("Timestamps", "Values")}
            shown.append({**result, **part, "StatusCode": "Complete" if end >= count else "PartialData"})
    return shown, str(last) if last < passed else None


def _place(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isdecimal():
        raise InvalidParameterValue("Request parameter NextToken is invalid")
    return int(token)
