"""IAM decides what roles may do: what is granted is enough, all of it is needed, and what is taken away is missed.

The file comes last, when everything else has run.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.scenarios.conftest import STRICTNESS, KeptDemo
from tests.scenarios.live_cloud import LiveCloud

pytestmark = [
    pytest.mark.skipif(STRICTNESS["TURBINE_LOCAL_STRICT"] != "1", reason="TURBINE_TEST_STRICT=0"),
    pytest.mark.xdist_group("scenarios"),
]


MANAGED_RULE = "is not authorized to create managed-rule"
LOG_DESTINATION = "is not authorized to access the Log Destination"


@contextlib.contextmanager
def without(cloud: LiveCloud, resource: str, sid: str) -> Iterator[str]:
    """While open, a role of the stack lacks one statement; yields the role's name."""
    iam = cloud.client("iam")
    (name,) = [one["RoleName"] for one in _roles(iam) if one["RoleName"].startswith(f"{cloud.stack}-{resource}-")]
    (policy,) = [one for one in iam.list_role_policies(RoleName=name)["PolicyNames"] if sid in _text(iam, name, one)]
    document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    left = [one for one in document["Statement"] if one["Sid"] != sid]
    assert len(left) == len(document["Statement"]) - 1
    _put(iam, name, policy, {**document, "Statement": left})
    try:
        yield name
    finally:
        _put(iam, name, policy, document)


def test_nothing_that_the_demo_does_is_denied(demo: KeptDemo) -> None:
    assert [line["denied"] for line in demo.asked if line["denied"]] == []
    # It was asked for: every kind of role had something to do.
    assert len({line["who"] for line in demo.asked}) > 15
    assert {line["action"] for line in demo.asked} >= {"batch:SubmitJob", "lambda:InvokeFunction", "iam:PassRole"}


@pytest.mark.denials_expected
@pytest.mark.parametrize(
    ("resource", "sid", "action"),
    [
        ("PrepareTrainingFunctionRole", "ReadTeams", "s3:GetObject"),
        ("TrainingMachineRole", "Prepare", "lambda:InvokeFunction"),
    ],
)
def test_a_statement_less_and_the_machine_fails(demo: KeptDemo, resource: str, sid: str, action: str) -> None:
    cloud = demo.cloud
    with without(cloud, resource, sid) as role:
        given = {"schedule": "weekly", "scheduled_time": "2026-11-26T02:00:00Z", "teams": ["vision"]}
        started = cloud.start("TrainingMachineArn", given, name=f"strict-{uuid.uuid4().hex[:8]}")
        ended = cloud.ended(started, limit_s=200)
    assert ended["status"] == "FAILED"
    assert f"is not authorized to perform: {action}" in list(demo.accesses.denied(role))[-1]


@pytest.mark.denials_expected
@pytest.mark.parametrize(
    ("machine", "sid", "message"),
    [
        ("Training", "SyncThroughAManagedRule", MANAGED_RULE),
        ("Run", "SyncThroughManagedRules", MANAGED_RULE),
        ("Training", "WriteLogsAndTraces", LOG_DESTINATION),
        ("Run", "WriteLogsAndTraces", LOG_DESTINATION),
        ("Promotion", "WriteLogsAndTraces", LOG_DESTINATION),
    ],
)
def test_a_statement_less_and_the_machine_cannot_be_deployed(
    demo: KeptDemo, machine: str, sid: str, message: str
) -> None:
    stepfunctions = demo.cloud.client("stepfunctions")
    named = {"stateMachineArn": demo.cloud.outputs[f"{machine}MachineArn"]}
    definition = stepfunctions.describe_state_machine(**named)["definition"]
    with without(demo.cloud, f"{machine}MachineRole", sid), pytest.raises(ClientError, match=message):
        stepfunctions.update_state_machine(**named, definition=definition)
    stepfunctions.update_state_machine(**named, definition=definition)


def test_every_statement_was_needed_in_some_test(demo: KeptDemo, request: pytest.FixtureRequest) -> None:
    """Each test fails in which a role is denied something: so without any of these statements one would have failed."""
    ran = {item.path for item in request.session.items}
    if not set(Path(__file__).parent.glob("test_*.py")) <= ran:
        pytest.skip("only when all scenarios run")
    assert demo.accesses.missing() == []


def _roles(iam: Any) -> list[dict[str, Any]]:
    return [role for page in iam.get_paginator("list_roles").paginate() for role in page["Roles"]]


def _text(iam: Any, role: str, policy: str) -> str:
    return json.dumps(iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"])


def _put(iam: Any, role: str, policy: str, document: Any) -> None:
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))
