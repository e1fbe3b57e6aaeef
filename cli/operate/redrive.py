"""Going on with a run that failed: from the state where it ended if Step Functions can, else as its next attempt.

A redrive keeps what the execution has done. A next attempt starts the machine afresh, under another name, and skips
what has left its marker: the training's result, the published artifacts, the decision, the package.
"""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple

from botocore.exceptions import ClientError

from cli import exit_codes
from cli.cloud import Cloud
from cli.errors import CommandError
from cli.observe import executions
from cli.observe.artifacts import Artifacts
from cli.observe.records import Records, RunItems
from turbine.domain.outcome import NOT_STARTED, SUPERSEDED
from turbine.domain.run import DEFAULT_PRIORITY

ENDS_IN_FAIL_STATE = frozenset({"ClaimKeepsChanging", "ChampionKeepsChanging"})
"""A redrive goes on at the state that failed, and these are states that do nothing but fail."""
MEASURES_CHAMPION = "EvaluateChampion"
"""A redrive would measure the champion of then again, whoever is champion now."""


class GoneOn(NamedTuple):
    """How a run goes on, why so, and the execution that works for it now."""

    how: Literal["redrive", "attempt"]
    why: str
    execution_arn: str


def redrive(cloud: Cloud, items: RunItems) -> GoneOn:
    """Go on with a failed run. Raises: CommandError for one that may not."""
    _require_failed(items)
    _require_newest(cloud, items)
    arn = str(items.outcome["execution_arn"])
    described = _described(cloud, arn)
    if described is not None and described["status"] in ("RUNNING", "SUCCEEDED"):
        raise _refused(f"its execution is {described['status']} again: somebody was faster", items)
    if described is None:
        was_started = items.outcome.get("error") != NOT_STARTED
        why = (
            "Step Functions has forgotten the execution, as it does after 90 days"
            if was_started
            else "it never started"
        )
        return _attempt(cloud, items, None, why)
    if described.get("error") in ENDS_IN_FAIL_STATE:
        return _attempt(cloud, items, described, f"it ended as {described['error']}, and would again")
    if executions.last_state(cloud.client("stepfunctions"), arn) == MEASURES_CHAMPION:
        return _attempt(cloud, items, described, "it ended while a champion was measured, and another may be by now")
    if described.get("redriveStatus") != "REDRIVABLE":
        reason = described.get("redriveStatusReason") or described.get("redriveStatus")
        return _attempt(cloud, items, described, f"Step Functions cannot redrive the execution ({reason})")
    try:
        cloud.client("stepfunctions").redrive_execution(executionArn=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionNotRedrivable":
            raise
        return _attempt(
            cloud, items, described, f"Step Functions did not redrive it ({error.response['Error']['Message']})"
        )
    return GoneOn("redrive", f"on from where it ended as {items.outcome['status']}", arn)


def _attempt(cloud: Cloud, items: RunItems, described: dict[str, Any] | None, why: str) -> GoneOn:
    """Start the next attempt; asked twice it is the same execution."""
    number = int(str(items.outcome["order"]).partition("#")[0]) + 1
    given = _input(cloud, items) if described is None else json.loads(described["input"])
    name = f"{items.run_id}-a{number}"
    stepfunctions, machine = cloud.client("stepfunctions"), cloud.output("RunMachineArn")
    try:
        started = stepfunctions.start_execution(
            stateMachineArn=machine, name=name, input=json.dumps(given | {"attempt": number}, sort_keys=True)
        )
    except stepfunctions.exceptions.ExecutionAlreadyExists as error:
        arn = executions.execution_arn(machine, name)
        raise _refused(f"its attempt {number} has been started and has ended: {arn}", items) from error
    return GoneOn("attempt", f"{why}; attempt {number} starts afresh and skips what is done", started["executionArn"])


def _input(cloud: Cloud, items: RunItems) -> dict[str, Any]:
    """The machine's input, put together from the run spec as the training machine does (training.asl.yaml)."""
    spec = Artifacts(cloud).document(items.team, items.run_id, "run.json")
    if spec is None:
        raise CommandError(
            f"run {items.run_id} cannot go on: its run.json is gone",
            place=str(items.record.get("spec_uri")),
            next_step="drop its manifest again: `turbine drop FILE`",
        )
    nodes = int(spec["compute"]["nodes"])
    return {
        "run_id": items.run_id,
        "team": items.team,
        "spec_uri": items.record["spec_uri"],
        "nodes": nodes,
        "priority": (spec.get("plan") or {}).get("priority", DEFAULT_PRIORITY),
        "spot": (spec.get("plan") or {}).get("may_use_spot", True),
        "job_definition": f"{cloud.stack}-{items.team}-training{'-multinode' if nodes > 1 else ''}",
    }


def _described(cloud: Cloud, arn: str) -> dict[str, Any] | None:
    stepfunctions = cloud.client("stepfunctions")
    try:
        return dict(stepfunctions.describe_execution(executionArn=arn))
    except stepfunctions.exceptions.ExecutionDoesNotExist:
        return None


def _require_failed(items: RunItems) -> None:
    status = items.status
    if status == "RUNNING":
        raise _refused("it has not ended; wait, or end it: `turbine stop RUN`", items)
    if status == "SUCCEEDED":
        raise _refused(f"it has succeeded, and was {items.verdict}", items)
    if status == SUPERSEDED:
        raise _refused("a newer version of its manifest was there before it could start", items)


def _require_newest(cloud: Cloud, items: RunItems) -> None:
    """An older version of a manifest never starts after a newer one, whoever asks for it."""
    cause = (Artifacts(cloud).document(items.team, items.run_id, "run.json") or {}).get("cause", {})
    if "version_id" not in cause:  # a schedule's firing has no versions
        return
    latest = Records(cloud).latest_version(f"{cause['bucket']}/{cause['object_key']}")
    if latest is not None and latest != cause["version_id"]:
        raise _refused("a newer version of its manifest has come since", items)


def _refused(why: str, items: RunItems) -> CommandError:
    return CommandError(
        f"run {items.run_id} cannot be redriven: {why}",
        next_step=f"`turbine show {items.run_id}` says more; a new run: `turbine drop FILE --force`",
        exit_code=exit_codes.REFUSED,
    )
