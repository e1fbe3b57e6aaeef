"""What a statement is about, and what a condition holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_cloud.authorization import conditions, policies
from local_cloud.authorization.conditions import NotEmulatedConditionError

OBJECT = "arn:aws:s3:::bucket/runs/vision/a"


def decided(*statements: dict[str, Any], action: str = "s3:GetObject", resource: str = OBJECT, **context: Any) -> Any:
    parsed = policies.parse(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
    found = policies.decisive(parsed, action, resource, {key.replace("_", ":"): one for key, one in context.items()})
    return None if found is None else found.allows


def statement(effect: str = "Allow", **changes: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/runs/*", **changes}


@pytest.mark.parametrize(
    ("pattern", "arn", "matches"),
    [
        ("*", OBJECT, True),
        ("arn:aws:s3:::bucket/runs/*", OBJECT, True),
        ("arn:aws:s3:::bucket/runs/visio?/a", OBJECT, True),
        ("arn:aws:s3:::bucket/run", OBJECT, False),
        ("arn:aws:s3:::bucket", OBJECT, False),
        ("arn:aws:s3:*", OBJECT, False),
        ("arn:aws:*:::bucket/runs/*", OBJECT, True),
        ("arn:aws:s3:::bucket/[r]uns/*", OBJECT, False),
        ("arn:aws:sqs:us-east-1:1*:q", "arn:aws:sqs:us-east-1:123:q", True),
        (
            "arn:aws:logs:us-east-1:1:log-group:g:log-stream:*",
            "arn:aws:logs:us-east-1:1:log-group:g:log-stream:s",
            True,
        ),
    ],
)
def test_an_arn_is_matched_part_by_part(pattern: str, arn: str, matches: bool) -> None:
    assert conditions.like_arn(pattern, arn) is matches


def test_a_denial_wins_and_silence_is_no_permission() -> None:
    assert decided(statement()) is True
    assert decided(statement(), statement("Deny")) is False
    assert decided(statement("Deny"), statement()) is False
    assert decided(statement(Action="s3:PutObject")) is None
    assert decided(statement(Action=["s3:put*", "S3:GETobject"])) is True
    assert decided(statement(Resource="arn:aws:s3:::other/*")) is None


def test_not_action_and_not_resource_are_about_all_else() -> None:
    other = {key: one for key, one in statement().items() if key not in ("Action", "Resource")}
    assert decided({**other, "NotAction": "s3:PutObject", "Resource": "*"}) is True
    assert decided({**other, "NotAction": "s3:Get*", "Resource": "*"}) is None
    assert decided({**other, "Action": "s3:*", "NotResource": "arn:aws:s3:::bucket/runs/*"}) is None


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"a:B": "x"}}, {"a:b": ["x"]}, True),
        ({"StringEquals": {"a:b": ["y", "x"]}}, {"a:b": ["x"]}, True),
        ({"StringEquals": {"a:b": "x"}}, {}, False),
        ({"StringEqualsIfExists": {"a:b": "x"}}, {}, True),
        ({"StringEqualsIfExists": {"a:b": "x"}}, {"a:b": ["y"]}, False),
        ({"StringNotEquals": {"a:b": "x"}}, {}, True),
        ({"StringNotEquals": {"a:b": ["x", "y"]}}, {"a:b": ["y"]}, False),
        ({"StringLike": {"a:b": "runs/*"}}, {"a:b": ["runs/"]}, True),
        ({"StringLike": {"a:b": "runs/*"}}, {"a:b": ["run"]}, False),
        ({"Bool": {"aws:SecureTransport": False}}, {"aws:securetransport": ["true"]}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, {"aws:securetransport": ["false"]}, True),
        ({"Null": {"a:b": "false"}}, {"a:b": ["x"]}, True),
        ({"Null": {"a:b": "true"}}, {"a:b": ["x"]}, False),
        ({"ForAllValues:StringLike": {"a:b": "x*"}}, {"a:b": ["x1", "x2"]}, True),
        ({"ForAllValues:StringLike": {"a:b": "x*"}}, {"a:b": ["x1", "y"]}, False),
        ({"ForAllValues:StringLike": {"a:b": "x*"}}, {}, True),
        ({"ForAnyValue:StringLike": {"a:b": "x*"}}, {"a:b": ["y", "x"]}, True),
        ({"ForAnyValue:StringLike": {"a:b": "x*"}}, {}, False),
        ({"ArnLike": {"a:b": "arn:aws:events:*:1:rule/*"}}, {"a:b": ["arn:aws:events:r:1:rule/q"]}, True),
        ({"ArnEquals": {"a:b": "arn:aws:events:r:1:rule/q"}}, {"a:b": ["arn:aws:events:r:1:rule/p"]}, False),
        ({"NumericLessThan": {"a:b": "10"}}, {"a:b": ["9"]}, True),
        ({"IpAddress": {"a:b": "127.0.0.0/8"}}, {"a:b": ["127.0.0.1"]}, True),
        ({"NotIpAddress": {"a:b": "127.0.0.0/8"}}, {"a:b": ["127.0.0.1"]}, False),
        ({"StringEquals": {"a:b": "${a:c}"}}, {"a:b": ["x"], "a:c": ["x"]}, True),
        ({"StringEquals": {"a:b": "${a:c}"}}, {"a:b": ["x"]}, False),
        ({"StringEquals": {"a:b": "x", "a:c": "y"}}, {"a:b": ["x"], "a:c": ["z"]}, False),
    ],
)
def test_a_condition_holds_as_aws_documents(condition: Any, context: Any, holds: bool) -> None:
    assert conditions.fulfilled(condition, context) is holds


@pytest.mark.parametrize("operator", ["DateLessThan", "BinaryEquals", "ForSomeValues:StringEquals", "StringRhymes"])
def test_an_operator_that_is_not_known_is_refused_by_name(operator: str) -> None:
    with pytest.raises(NotEmulatedConditionError, match=operator):
        conditions.fulfilled({operator: {"a:b": "x"}}, {"a:b": ["x"]})


def test_principals_are_named_or_not() -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": ["a.amazonaws.com"]}, "Action": "sts:AssumeRole"}
    parsed = policies.parse(json.dumps({"Statement": trust}))
    assert policies.decisive(parsed, "sts:AssumeRole", "arn", {}, [("Service", "a.amazonaws.com")]) is not None
    assert policies.decisive(parsed, "sts:AssumeRole", "arn", {}, [("Service", "b.amazonaws.com")]) is None
    assert policies.decisive(parsed, "sts:AssumeRole", "arn", {}, [("AWS", "a.amazonaws.com")]) is None


@pytest.mark.parametrize(
    "document", ["", "{}", '{"Statement": {"Effect": "Perhaps", "Action": "a"}}', '{"Statement": 3}']
)
def test_what_is_no_policy_is_refused(document: str) -> None:
    with pytest.raises(policies.MalformedPolicyError):
        policies.parse(document)
