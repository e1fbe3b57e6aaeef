"""Asking for a promotion by an event, and hearing what the promotion machine has made of it.

Why an event: docs/decisions/0014-a-lead-asks-by-an-event.md. PutEvents answers before anything has happened, so that
the answer is looked for: in the champion's history, which is the truth, and among the machine's executions, which say
why nothing came.
"""

from __future__ import annotations

import json
import time
from typing import Any, NamedTuple

from cli import exit_codes
from cli.cloud import Cloud
from cli.errors import CommandError
from cli.observe.records import Records
from turbine.domain.champion import Champion

POLL_S = 0.5
_NEWEST = 25


class Refusal(NamedTuple):
    """Why a request changed nothing."""

    error: str
    cause: str


def ask(cloud: Cloud, team: str, request: dict[str, Any]) -> str:
    """Ask for a promotion of a team; the request's id. Raises: CommandError when the bus did not take it."""
    entry = {
        "Source": f"{cloud.stack}.team.{team}",
        "DetailType": "PromotionRequested",
        "Detail": json.dumps(request),
    }
    (answer,) = cloud.client("events").put_events(Entries=[entry])["Entries"]
    if "EventId" not in answer:
        raise CommandError(
            f"EventBridge did not take the request: {answer.get('ErrorCode')}: {answer.get('ErrorMessage')}",
            next_step="type the command again; nothing has changed",
        )
    return str(answer["EventId"])


def wait(cloud: Cloud, team: str, request_id: str, expected_version: int, timeout_s: float) -> Champion:
    """The champion that a request has made.

    Raises: CommandError when it was refused, when another promotion came first, or after `timeout_s`.
    """
    records, seen = Records(cloud), set[str]()
    give_up_at = time.monotonic() + timeout_s
    while time.monotonic() < give_up_at:
        made = [champion for champion in records.champions(team) if champion.promotion_id == request_id]
        if made:
            return made[0]
        refusal = _refusal(cloud, request_id, seen)
        if refusal is not None:
            raise CommandError(
                f"the request was refused: {refusal.error}: {refusal.cause}",
                place=f"request {request_id}",
                next_step=f"`turbine models {team} --history` shows who is champion",
            )
        time.sleep(POLL_S)
    raise CommandError(
        f"no answer within {timeout_s:g} s; the request may still be carried out",
        place=f"request {request_id}, on champion version {expected_version}",
        next_step=f"`turbine models {team} --history` shows whether it was",
    )


def _refusal(cloud: Cloud, request_id: str, seen: set[str]) -> Refusal | None:
    """What the execution of a request says, once it has ended without a promotion."""
    stepfunctions = cloud.client("stepfunctions")
    listed = stepfunctions.list_executions(stateMachineArn=cloud.output("PromotionMachineArn"), maxResults=_NEWEST)
    for entry in listed["executions"]:
        arn = entry["executionArn"]
        if arn in seen or entry["status"] == "RUNNING":
            continue
        seen.add(arn)
        described = stepfunctions.describe_execution(executionArn=arn)
        if json.loads(described["input"]).get("promotion_id") != request_id:
            continue
        if described["status"] != "SUCCEEDED":
            return Refusal(described.get("error", described["status"]), _words(described.get("cause", "")))
        output = json.loads(described["output"])
        if output["status"] != "promoted":
            return Refusal(
                "ChampionChanged", f"by now the champion is another one, version {output['champion_version']}"
            )
    return None


def _words(cause: str) -> str:
    """A function's message without its traceback."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, TypeError, KeyError):
        return cause


def package(cloud: Cloud, team: str, group: str, version: int) -> dict[str, Any]:
    """A registered version, as SageMaker describes it. Raises: CommandError when there is none."""
    sagemaker = cloud.client("sagemaker")
    for page in sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group):
        for entry in page["ModelPackageSummaryList"]:
            if entry.get("ModelPackageVersion") == version:
                return dict(sagemaker.describe_model_package(ModelPackageName=entry["ModelPackageArn"]))
    raise CommandError(
        f"team {team} has no model version {version}",
        place=f"model package group {group}",
        next_step=f"`turbine models {team}` lists the versions",
        exit_code=exit_codes.REFUSED,
    )
