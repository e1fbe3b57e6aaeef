"""What follows the fan-out: one trivial function."""

from typing import Any


def handler(event: dict[str, Any], _context: object) -> int:
    """The number of jobs that ran."""
    return len(event["jobs"])
