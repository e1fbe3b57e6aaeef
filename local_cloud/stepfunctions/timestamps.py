"""Moments of time as the states language writes them: RFC 3339 with an upper-case T, and Z or an offset.

Source: https://states-language.net/spec.html#timestamps
"""

from __future__ import annotations

import datetime
import re

_FORM = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")
_MICROSECONDS = 6


def parse(text: object) -> datetime.datetime | None:
    """The moment that `text` names, to the microsecond, None if it names none."""
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    fraction = (match[2] or "0")[:_MICROSECONDS]
    zone = "+00:00" if match[3] == "Z" else match[3]
    try:
        return datetime.datetime.fromisoformat(f"{match[1]}.{fraction:0<6}{zone}")
    except ValueError:
        return None
