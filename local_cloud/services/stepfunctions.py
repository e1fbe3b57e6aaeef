"""Step Functions: every symbol of moto's interpreter that is replaced, in the order of the machine's life."""

from __future__ import annotations

import logging

from local_cloud.replacements import Replacement
from local_cloud.settings import CloudSettings
from local_cloud.stepfunctions import api, executions, integrations, jsonata, normalisation, waiting

REPLACEMENTS: list[Replacement] = [
    *executions.REPLACEMENTS,
    *waiting.REPLACEMENTS,
    *jsonata.REPLACEMENTS,
    *normalisation.REPLACEMENTS,
    *integrations.REPLACEMENTS,
    *api.REPLACEMENTS,
]


def start(_: CloudSettings) -> None:
    """Keep the interpreter's dumps of every failed state out of the log: the history has what failed."""
    logging.getLogger("moto.stepfunctions.parser.asl").setLevel(logging.CRITICAL)
