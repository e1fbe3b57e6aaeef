"""Step Functions: every symbol of moto's interpreter that is replaced, in the order of the machine's life."""

from __future__ import annotations

import logging

from local_cloud import intents
from local_cloud.replacements import Replacement
from local_cloud.settings import CloudSettings
from local_cloud.stepfunctions import (
    aborts,
    api,
    assignments,
    choices,
    definitions,
    distributed_map,
    executions,
    fail_states,
    failures,
    history,
    integrations,
    intrinsic_calls,
    json_paths,
    jsonata,
    kept,
    limits,
    literals,
    machine_roles,
    map_runs,
    normalisation,
    quantities,
    resuming,
    service_errors,
    task_tokens,
    tokens,
    waiting,
    waits,
    wrapping,
)

REPLACEMENTS: list[Replacement] = [
    # Before the cache of parsed definitions, which is among the replacements of executions.
    *definitions.REPLACEMENTS,
    *executions.REPLACEMENTS,
    *waiting.REPLACEMENTS,
    *literals.REPLACEMENTS,
    *json_paths.REPLACEMENTS,
    *jsonata.REPLACEMENTS,
    *intrinsic_calls.REPLACEMENTS,
    *assignments.REPLACEMENTS,
    *choices.REPLACEMENTS,
    *waits.REPLACEMENTS,
    *quantities.REPLACEMENTS,
    *tokens.REPLACEMENTS,
    *task_tokens.REPLACEMENTS,
    *fail_states.REPLACEMENTS,
    *failures.REPLACEMENTS,
    *aborts.REPLACEMENTS,
    *distributed_map.REPLACEMENTS,
    *map_runs.REPLACEMENTS,
    *limits.REPLACEMENTS,
    *normalisation.REPLACEMENTS,
    *integrations.REPLACEMENTS,
    *service_errors.REPLACEMENTS,
    *api.REPLACEMENTS,
    *machine_roles.REPLACEMENTS,
    *resuming.REPLACEMENTS,
    *wrapping.REPLACEMENTS,
]


def start(_: CloudSettings) -> None:
    """Keep the interpreter's dumps of every failed state out of the log: the history has what failed."""
    logging.getLogger("moto.stepfunctions.parser.asl").setLevel(logging.CRITICAL)


def resume() -> None:
    """Let the executions go on that were running when the cloud was killed."""
    for execution in kept.everyone():
        resuming.resume_if_running(execution)


def kept_spaces() -> set[str]:
    """Where histories are, and what was answered to their Tasks, which no collection holds."""
    everyone = kept.everyone()
    answers = {intents.space_of(execution.exec_arn) for execution in everyone}
    return answers | {history.space_of(execution) for execution in everyone}
