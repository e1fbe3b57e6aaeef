"""The job's log: one JSON object a line on stdout, which Batch sends to CloudWatch Logs."""

import json
import math


def log_event(event: str, **fields: object) -> None:
    """Write one line.

    A number that JSON cannot hold (NaN, an infinity) is written as null, so that every line parses.
    """
    print(json.dumps({"event": event, **{name: _finite(field) for name, field in fields.items()}}), flush=True)


def _finite(field: object) -> object:
    if isinstance(field, float) and not math.isfinite(field):
        return None
    return field
