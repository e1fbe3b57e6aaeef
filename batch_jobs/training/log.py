"""The job's log: one JSON object a line on stdout, which Batch sends to CloudWatch Logs."""

import json
import math
import sys


def log_event(event: str, **fields: object) -> None:
    """Write one line.

    A number that JSON cannot hold (NaN, an infinity) is written as null, so that every line parses.
    """
    line = json.dumps({"event": event, **{name: _finite(field) for name, field in fields.items()}})
    # One write: `print` makes two of it on an unbuffered stdout, between which another thread's line may come.
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _finite(field: object) -> object:
    if isinstance(field, float) and not math.isfinite(field):
        return None
    return field
