"""The tables against the copy of AWS's Service Authorization Reference that cfn-lint brings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cfnlint
import pytest

from cli.check.iam import actions, grants

REFERENCE = Path(cfnlint.__file__).parent / "data/AdditionalSpecs/Policies.json"
OPTIONAL_RESOURCE = {"cloudwatch:PutMetricData", "cloudwatch:GetMetricData", "cloudwatch:ListMetrics"}
"""They know a dataset of CloudWatch's, which is no metric's namespace: `*` is still what a metric needs."""


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(REFERENCE.read_text())
    return found


def _known(reference: dict[str, Any], action: str) -> Any:
    service, _, name = action.partition(":")
    return reference[service]["Actions"].get(name.lower())


def _all() -> set[str]:
    named = {one for methods in actions.CLIENTS.values() for found in methods.values() for one in found}
    companions = {one for found in actions.SYNC_COMPANIONS.values() for one in found}
    libraries = {one for found in actions.LIBRARIES.values() for one in found}
    return {
        *named,
        *companions,
        *libraries,
        *actions.TRANSACTED.values(),
        *actions.VERSIONED.values(),
        *actions.MANAGE_RULE,
        *actions.NO_RESOURCE,
    }


def test_every_action_is_one_of_awss(reference: dict[str, Any]) -> None:
    assert [action for action in sorted(_all()) if _known(reference, action) is None] == []


def test_star_is_for_actions_that_know_no_resource_and_for_them_alone(reference: dict[str, Any]) -> None:
    without = {action for action in _all() if not (_known(reference, action) or {}).get("Resources")}
    assert without | OPTIONAL_RESOURCE == set(actions.NO_RESOURCE)


def test_people_are_given_actions_of_awss_with_a_resource_wherever_they_know_one(
    reference: dict[str, Any], project: Any
) -> None:
    given = [
        grant
        for stack in project.stacks
        for policy in stack.of_type("AWS::IAM::ManagedPolicy")
        for grant in grants.of_managed_policy(stack, policy)
    ]
    assert [grant.action for grant in given if _known(reference, grant.action) is None] == []
    resourceless = {grant.action for grant in given if not _known(reference, grant.action).get("Resources")}
    assert resourceless | OPTIONAL_RESOURCE & {one.action for one in given} == {
        grant.action for grant in given if grant.resource == "*"
    }


def test_every_method_is_one_of_boto3s() -> None:
    from boto3.session import Session
    from botocore import xform_name

    injected = {"download_file", "upload_fileobj", "copy"}
    for service, methods in actions.CLIENTS.items():
        model = Session()._session.get_service_model(service)
        known = {xform_name(name) for name in model.operation_names} | injected
        assert set(methods) - {"from_objects"} <= known, service
