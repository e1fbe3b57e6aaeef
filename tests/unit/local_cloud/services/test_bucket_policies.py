from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from moto.iam.access_control import PermissionResult

from local_cloud.services import s3


def permission(*statements: dict[str, Any]) -> Any:
    """What the bucket's policy says of reading an object, asked over loopback."""
    (replacement,) = [r for r in s3.REPLACEMENTS if r.target.endswith("FakeBucket.get_permission")]
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)}).encode()
    return replacement.build(None)(SimpleNamespace(policy=policy), "s3:GetObject", "arn:aws:s3:::bucket/key")


def statement(effect: str, **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket/*", **more}


def test_a_statement_against_plain_http_does_not_concern_loopback() -> None:
    tls_only = statement("Deny", Condition={"Bool": {"aws:SecureTransport": False}})
    assert permission(tls_only) is PermissionResult.NEUTRAL
    assert permission(tls_only, statement("Allow")) is PermissionResult.PERMITTED


def test_a_statement_that_holds_is_applied() -> None:
    assert permission(statement("Deny")) is PermissionResult.DENIED
    assert permission(statement("Deny", Condition={"Bool": {"aws:SecureTransport": "true"}})) is PermissionResult.DENIED


def test_a_condition_that_cannot_be_read_is_named_instead_of_left_out() -> None:
    by_address = statement("Deny", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    with pytest.raises(NotImplementedError, match="aws:SourceIp"):
        permission(by_address)


def test_a_statement_about_a_service_of_aws_concerns_nobody_here() -> None:
    """As in the policy of the bucket that `sam deploy` makes for itself."""
    service = {"Principal": {"Service": "serverlessrepo.amazonaws.com"}}
    by_account = {"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}
    assert permission(statement("Deny", **service)) is PermissionResult.NEUTRAL
    assert permission(statement("Allow", **service, **by_account)) is PermissionResult.NEUTRAL
    both = {"Principal": {**service["Principal"], "AWS": "*"}}
    assert permission(statement("Deny", **both)) is PermissionResult.DENIED
