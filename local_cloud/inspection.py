"""`python -m local_cloud.inspection`: what this installation has of what the cloud needs, as JSON. Starts nothing."""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any

from local_cloud import replacements
from local_cloud.server import SERVICES


def inspect() -> dict[str, Any]:
    """moto's version, how many of its symbols are replaced, and which of them it does not have."""
    entries = [entry for service in SERVICES for entry in service.REPLACEMENTS]
    return {
        "moto": importlib.metadata.version("moto"),
        "replaced": len(entries),
        "missing": replacements.missing(entries),
    }


if __name__ == "__main__":
    print(json.dumps(inspect()))
