"""What all of Batch's operations check and refuse in the same way.

Source: https://docs.aws.amazon.com/batch/latest/APIReference/
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from moto.batch.exceptions import ClientException

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
SHARE = re.compile(r"[A-Za-z0-9]{1,255}\*?")
SHORTEST_TIMEOUT_S = 60
HIGHEST_SCHEDULING_PRIORITY = 9_999
_MOST_TAGS = 50
_LARGEST_PAGE = 100
Item = TypeVar("Item")


def refuse(operation: str, given: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raises: ClientException naming the first parameter that is given and not emulated."""
    for name in names:
        if given.get(name):
            raise ClientException(f"batch:{operation}: {name} is not emulated")


@contextlib.contextmanager
def answered() -> Iterator[None]:
    """Turns a ValueError of the rules into what the API answers."""
    try:
        yield
    except ValueError as error:
        raise ClientException(f"Error executing request, Exception : {error}") from error


def check_name(what: str, name: Any) -> str:
    """Raises: ClientException for a name that AWS would not take."""
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        raise ClientException(
            f"{what} should match valid pattern: up to 128 letters, numbers, hyphens and underscores, the first "
            "one a letter or a number"
        )
    return name


def check_state(state: Any) -> str:
    """Raises: ClientException."""
    if state not in ("ENABLED", "DISABLED"):
        raise ClientException(f"state {state} must be one of ENABLED | DISABLED")
    return str(state)


def check_timeout(timeout: Mapping[str, Any] | None) -> None:
    """Raises: ClientException."""
    if timeout and int(timeout.get("attemptDurationSeconds") or 0) < SHORTEST_TIMEOUT_S:
        raise ClientException(
            f"Error executing request, Exception : attemptDurationSeconds must be at least {SHORTEST_TIMEOUT_S}"
        )


def check_scheduling_priority(priority: int | None) -> None:
    """Raises: ClientException."""
    if priority is not None and not 0 <= int(priority) <= HIGHEST_SCHEDULING_PRIORITY:
        raise ClientException(f"the scheduling priority must be between 0 and {HIGHEST_SCHEDULING_PRIORITY}")


def check_tags(tags: Mapping[str, str] | None) -> dict[str, str]:
    """Raises: ClientException."""
    tags = dict(tags or {})
    if len(tags) > _MOST_TAGS:
        raise ClientException(f"a resource has at most {_MOST_TAGS} tags")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(str(value or "")) > 256:
            raise ClientException("tag keys have 1 to 128 characters, values at most 256")
        if key.lower().startswith("aws:"):
            raise ClientException(f"tag key {key} begins with aws:, which is reserved")
    return tags


def page(items: Sequence[Item], given: Mapping[str, Any]) -> tuple[Sequence[Item], dict[str, str]]:
    """The items of a page, and what says where the next one begins.

    Raises: ClientException for a token that no answer held.
    """
    token = str(given.get("nextToken") or "0")
    if not token.isdigit():
        raise ClientException("nextToken is not valid")
    start, size = int(token), min(int(given.get("maxResults") or _LARGEST_PAGE), _LARGEST_PAGE)
    more = {"nextToken": str(start + size)} if len(items) > start + size else {}
    return items[start : start + size], more


def is_named(name: str, pattern: str) -> bool:
    """Names are compared without case; a pattern may end in `*`."""
    name, pattern = name.lower(), pattern.lower()
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
