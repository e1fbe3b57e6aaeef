"""Managed policies are noted when they change, and not when moto looks through all of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from moto.iam.models import AWSManagedPolicy

from local_cloud.durability.tables import AwsPolicies, Policies, _noting_itself
from local_cloud.durability.tracked import changes, note_home


@pytest.fixture
def policies() -> Policies:
    aws = object.__new__(AWSManagedPolicy)
    found = Policies({"aws": aws, "own": SimpleNamespace()}.items())
    changes.take()
    return found


def noted() -> set[Any]:
    return {key for _, keys in changes.take().entries for key in keys}


def test_looking_through_all_notes_none(policies: Policies) -> None:
    assert len(list(policies.values())) == 2
    assert noted() == set()


def test_one_that_changes_notes_itself_however_it_was_found(policies: Policies) -> None:
    attach = _noting_itself(lambda policy, role: setattr(policy, "role", role))
    attach(next(policy for policy in policies.values() if isinstance(policy, SimpleNamespace)), "role")
    assert noted() == {"own"}


def test_one_that_is_gone_notes_nothing(policies: Policies) -> None:
    gone = policies.pop("own")
    changes.take()
    note_home(gone)
    assert noted() == set()


def test_those_of_aws_are_seen_through_the_account(policies: Policies) -> None:
    aws, more = AwsPolicies(policies), ["another"]
    assert list(aws) == [policies["aws"]]
    assert aws + more == [policies["aws"], "another"]
