"""The machines' definitions, read from where they are deployed from."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.unit.turbine.arrange import ARTIFACTS

_FOLDER = Path(__file__).parents[2] / "state_machines"
_NUMBERS = {
    "SpotSubmissions": 2,
    "OnDemandAttempts": 3,
    "AttemptTimeoutSeconds": 3600,
    "QueueSeconds": 3600,
    "MarginSeconds": 600,
    "MetricsWaitRetries": 2,
}
_NAMES = {"ArtifactBucket": ARTIFACTS, "Stack": "turbine"}


@cache
def definition(machine: str) -> dict[str, Any]:
    """A machine with its substitutions: numbers and buckets get values, resources their own logical id."""
    text = (_FOLDER / f"{machine}.asl.yaml").read_text()
    loaded: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{(\w+)\}", _substituted, text))
    return loaded


def _substituted(match: re.Match[str]) -> str:
    name = match[1]
    return str(_NUMBERS.get(name, _NAMES.get(name, name)))
