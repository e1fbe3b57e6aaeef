from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.deployment import change_sets
from cli.deployment.change_sets import Template
from cli.errors import CommandError


class FakeCloudFormation:
    """One stack, whose change sets end as the test says."""

    def __init__(self, status: str | None, ends: str = "CREATE_COMPLETE", reason: str = "") -> None:
        self.status = status
        self._ends = ends
        self._reason = reason
        self.calls: list[str] = []
        self.created: dict[str, Any] = {}

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        if self.status is None:
            message = f"Stack with id {StackName} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks")
        return {"Stacks": [{"StackStatus": self.status, "StackId": "id"}]}

    def create_change_set(self, **arguments: Any) -> None:
        self.created = arguments

    def describe_change_set(self, **_: str) -> dict[str, str]:
        return {"Status": "FAILED" if self._reason else "CREATE_COMPLETE", "StatusReason": self._reason}

    def delete_change_set(self, **_: str) -> None:
        self.calls.append("delete_change_set")

    def execute_change_set(self, **_: str) -> None:
        self.calls.append("execute_change_set")
        self.status = self._ends

    def delete_stack(self, **_: str) -> None:
        self.calls.append("delete_stack")
        self.status = None if self._ends.endswith("_COMPLETE") else self._ends

    def describe_stack_events(self, **_: str) -> dict[str, Any]:
        return {
            "StackEvents": [
                {"ResourceStatus": "CREATE_FAILED", "LogicalResourceId": "B", "ResourceStatusReason": "cancelled"},
                {"ResourceStatus": "CREATE_FAILED", "LogicalResourceId": "A", "ResourceStatusReason": "bad key"},
                {"ResourceStatus": "CREATE_IN_PROGRESS", "LogicalResourceId": "A"},
            ]
        }


def _apply(fake: FakeCloudFormation) -> str:
    return change_sets.apply(fake, "s", Template(body="{}"), {"P": "1"})


@pytest.mark.parametrize(
    ("before", "after", "kind", "result"),
    [
        (None, "CREATE_COMPLETE", "CREATE", "created"),
        ("REVIEW_IN_PROGRESS", "CREATE_COMPLETE", "CREATE", "created"),
        ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE", "updated"),
    ],
)
def test_the_kind_of_change_follows_the_stack(before: str | None, after: str, kind: str, result: str) -> None:
    fake = FakeCloudFormation(before, ends=after)
    assert _apply(fake) == result
    assert fake.created["ChangeSetType"] == kind
    assert fake.created["Parameters"] == [{"ParameterKey": "P", "ParameterValue": "1"}]
    assert "CAPABILITY_AUTO_EXPAND" in fake.created["Capabilities"]


def test_a_role_to_deploy_in_is_handed_over_if_there_is_one() -> None:
    fake = FakeCloudFormation(None)
    change_sets.apply(fake, "s", Template(body="{}"), {}, "arn:aws:iam::123456789012:role/deployment")
    assert fake.created["RoleARN"] == "arn:aws:iam::123456789012:role/deployment"
    without = FakeCloudFormation(None)
    _apply(without)
    assert "RoleARN" not in without.created


@pytest.mark.parametrize(
    "reason",
    ["The submitted information didn't contain changes. Submit different", "No updates are to be performed."],
)
def test_no_change_is_fine_and_leaves_no_change_set(reason: str) -> None:
    fake = FakeCloudFormation("CREATE_COMPLETE", reason=reason)
    assert _apply(fake) == "unchanged"
    assert fake.calls == ["delete_change_set"]


def test_a_refused_change_set_is_told() -> None:
    with pytest.raises(CommandError, match="Unresolved resource dependencies"):
        _apply(FakeCloudFormation(None, reason="Unresolved resource dependencies [X]"))


def test_a_failed_deployment_names_the_first_failure_not_its_consequences() -> None:
    with pytest.raises(CommandError, match="failed at A: bad key"):
        _apply(FakeCloudFormation(None, ends="ROLLBACK_COMPLETE"))


def test_a_stack_whose_creation_was_rolled_back_is_deleted_and_created_again() -> None:
    fake = FakeCloudFormation("ROLLBACK_COMPLETE")
    assert _apply(fake) == "created"
    assert fake.calls == ["delete_stack", "execute_change_set"]
    assert fake.created["ChangeSetType"] == "CREATE"


def test_deleting_tells_whether_there_was_a_stack() -> None:
    assert change_sets.delete(FakeCloudFormation("CREATE_COMPLETE", ends="DELETE_COMPLETE"), "s")
    assert not change_sets.delete(FakeCloudFormation(None), "s")
    with pytest.raises(CommandError, match="failed at A"):
        change_sets.delete(FakeCloudFormation("CREATE_COMPLETE", ends="DELETE_FAILED"), "s")
