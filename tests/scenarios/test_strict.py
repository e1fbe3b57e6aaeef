"""IAM decides what roles may do: what is granted is enough, and what is taken away is missed."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.conftest import STRICTNESS, KeptDemo, ledger
from tests.scenarios.live_cloud import LiveCloud

pytestmark = [
    pytest.mark.skipif(STRICTNESS["TURBINE_LOCAL_STRICT"] != "1", reason="TURBINE_TEST_STRICT=0"),
    pytest.mark.xdist_group("scenarios"),
]


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
    denied = [line for line in ledger(demo.state_dir) if line["denied"] and line["who"].endswith(f"/{role}")]
    assert f"is not authorized to perform: {action}" in denied[-1]["denied"]


def _roles(iam: Any) -> list[dict[str, Any]]:
    return [role for page in iam.get_paginator("list_roles").paginate() for role in page["Roles"]]


def _text(iam: Any, role: str, policy: str) -> str:
    return json.dumps(iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"])


def _put(iam: Any, role: str, policy: str, document: Any) -> None:
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))
