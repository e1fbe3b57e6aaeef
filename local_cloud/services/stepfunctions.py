"""Step Functions: every symbol of moto's interpreter that is replaced, in the order of the machine's life."""

from __future__ import annotations

from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import api, executions, integrations, jsonata, normalisation, waiting

REPLACEMENTS: list[Replacement] = [
    *executions.REPLACEMENTS,
    *waiting.REPLACEMENTS,
    *jsonata.REPLACEMENTS,
    *normalisation.REPLACEMENTS,
    *integrations.REPLACEMENTS,
    *api.REPLACEMENTS,
]
