"""Which actions on which resources a call needs."""

from __future__ import annotations

from typing import Any

import pytest

from local_cloud.authorization import permissions
from local_cloud.authorization.calls import Call

ACCOUNT, REGION = "123456789012", "us-east-1"


def call(service: str, operation: str = "", method: str = "POST", path: str = "/", **given: Any) -> Call:
    query, headers = given.pop("query", {}), given.pop("headers", {})
    return Call(service, operation, REGION, ACCOUNT, method, path, query, {"host": "127.0.0.1", **headers}, given)


def needed(made: Call) -> list[tuple[str, str]]:
    return [
        (access.action, access.resource.replace(f"{REGION}:{ACCOUNT}", "HERE")) for access in permissions.needed(made)
    ]


def s3(method: str, path: str, headers: dict[str, str] | None = None, **query: str) -> list[tuple[str, str]]:
    return needed(call("s3", method=method, path=path, query=query, headers=headers or {}))


@pytest.mark.parametrize(
    ("got", "action", "resource"),
    [
        (s3("GET", "/b/k"), "s3:GetObject", "arn:aws:s3:::b/k"),
        (s3("HEAD", "/b/a/k"), "s3:GetObject", "arn:aws:s3:::b/a/k"),
        (s3("GET", "/b/k", versionId="v"), "s3:GetObjectVersion", "arn:aws:s3:::b/k"),
        (s3("DELETE", "/b/k", versionId="v"), "s3:DeleteObjectVersion", "arn:aws:s3:::b/k"),
        (s3("PUT", "/b/k", uploadId="u", partNumber="1"), "s3:PutObject", "arn:aws:s3:::b/k"),
        (s3("POST", "/b/k", uploads=""), "s3:PutObject", "arn:aws:s3:::b/k"),
        (s3("DELETE", "/b/k", uploadId="u"), "s3:AbortMultipartUpload", "arn:aws:s3:::b/k"),
        (s3("GET", "/b", prefix="p"), "s3:ListBucket", "arn:aws:s3:::b"),
        (s3("GET", "/b", versions=""), "s3:ListBucketVersions", "arn:aws:s3:::b"),
        (s3("POST", "/b", delete=""), "s3:DeleteObject", "arn:aws:s3:::b/*"),
        (s3("GET", "/"), "s3:ListAllMyBuckets", "*"),
        (s3("GET", "/b", policy=""), "s3:GetBucketPolicy", "arn:aws:s3:::b"),
        # Not in the table: nobody's policy names it.
        (s3("PUT", "/b", replication=""), "s3:(unknown)", "arn:aws:s3:::b"),
    ],
)
def test_a_request_to_s3(got: list[tuple[str, str]], action: str, resource: str) -> None:
    assert got == [(action, resource)]


def test_a_bucket_may_be_in_the_host() -> None:
    made = call("s3", method="GET", path="/a/k", headers={"host": "b.localhost:4000"})
    assert needed(made) == [("s3:GetObject", "arn:aws:s3:::b/a/k")]


def test_a_copy_reads_and_writes_and_tags_are_their_own_permission() -> None:
    assert s3("PUT", "/b/k", {"x-amz-copy-source": "/from/a%20b?versionId=1"}) == [
        ("s3:PutObject", "arn:aws:s3:::b/k"),
        ("s3:GetObjectVersion", "arn:aws:s3:::from/a b"),
    ]
    assert s3("PUT", "/b/k", {"x-amz-tagging": "a=b"})[1] == ("s3:PutObjectTagging", "arn:aws:s3:::b/k")


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (
            needed(call("dynamodb", "Query", TableName="t", IndexName="i")),
            [("dynamodb:Query", "arn:aws:dynamodb:HERE:table/t/index/i")],
        ),
        (
            needed(
                call("batch", "SubmitJob", jobQueue="arn:aws:batch:x:1:job-queue/q", jobDefinition="d", tags={"a": "b"})
            ),
            [
                ("batch:SubmitJob", "arn:aws:batch:HERE:job-definition/d"),
                ("batch:SubmitJob", "arn:aws:batch:x:1:job-queue/q"),
                ("batch:TagResource", "arn:aws:batch:HERE:job/*"),
            ],
        ),
        (
            needed(call("events", "PutEvents", Entries=[{"EventBusName": "b"}, {"Source": "s"}, {"Source": "s"}])),
            [
                ("events:PutEvents", "arn:aws:events:HERE:event-bus/b"),
                ("events:PutEvents", "arn:aws:events:HERE:event-bus/default"),
            ],
        ),
        (
            needed(call("lambda", "Invoke", FunctionName="f", Qualifier="1")),
            [("lambda:InvokeFunction", "arn:aws:lambda:HERE:function:f:1")],
        ),
        (
            needed(call("sqs", "SendMessage", QueueUrl="http://127.0.0.1:1/210987654321/q")),
            [("sqs:SendMessage", "arn:aws:sqs:us-east-1:210987654321:q")],
        ),
        (
            needed(call("sagemaker", "CreateTransformJob", TransformJobName="j", Tags=[{"Key": "a", "Value": "b"}])),
            [
                ("sagemaker:CreateTransformJob", "arn:aws:sagemaker:HERE:transform-job/j"),
                ("sagemaker:AddTags", "arn:aws:sagemaker:HERE:transform-job/j"),
            ],
        ),
        (
            needed(call("cloudformation", "CreateChangeSet", StackName="s", RoleARN="arn:aws:iam::1:role/r")),
            [
                ("cloudformation:CreateChangeSet", "arn:aws:cloudformation:HERE:stack/s/*"),
                ("iam:PassRole", "arn:aws:iam::1:role/r"),
            ],
        ),
        (needed(call("monitoring", "GetMetricData")), [("cloudwatch:GetMetricData", "*")]),
        # What is not in the table needs the action of its name, everywhere.
        (needed(call("glue", "StartJobRun", JobName="j")), [("glue:StartJobRun", "*")]),
        (needed(call("sts", "GetCallerIdentity")), []),
    ],
)
def test_a_call(got: list[tuple[str, str]], expected: list[tuple[str, str]]) -> None:
    assert got == expected


def test_roles_are_passed_however_deep_they_stand() -> None:
    targets = [{"Arn": "a", "RoleArn": "arn:aws:iam::1:role/r"}, {"Arn": "b", "RoleArn": "arn:aws:iam::1:role/s"}]
    found = permissions.needed(call("events", "PutTargets", Rule="rule", Targets=targets))
    passed = [(one.resource, one.context["iam:passedtoservice"]) for one in found if one.action == "iam:PassRole"]
    assert passed == [
        ("arn:aws:iam::1:role/r", ["events.amazonaws.com"]),
        ("arn:aws:iam::1:role/s", ["events.amazonaws.com"]),
    ]


def test_items_of_a_transaction_need_their_own_actions() -> None:
    items = [{"Put": {"TableName": "t", "Item": {}}}, {"ConditionCheck": {"TableName": "u", "Key": {}}}]
    assert needed(call("dynamodb", "TransactWriteItems", TransactItems=items)) == [
        ("dynamodb:PutItem", "arn:aws:dynamodb:HERE:table/t"),
        ("dynamodb:ConditionCheckItem", "arn:aws:dynamodb:HERE:table/u"),
    ]


def test_an_event_is_known_by_its_source_and_kind() -> None:
    entries = [{"Source": "mine", "DetailType": "Asked"}, {"Source": "yours", "DetailType": "Asked"}]
    told = [dict(one.context) for one in permissions.needed(call("events", "PutEvents", Entries=entries))]
    assert told == [
        {"events:source": ["mine"], "events:detail-type": ["Asked"]},
        {"events:source": ["yours"], "events:detail-type": ["Asked"]},
    ]


LEADING = {"dynamodb:leadingkeys": ["RUN#a"]}


@pytest.mark.parametrize(
    ("given", "leading"),
    [
        ({"KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)"}, LEADING),
        ({"KeyConditionExpression": "sk=:sk and #p=:pk", "ExpressionAttributeNames": {"#p": "pk"}}, LEADING),
        ({"KeyConditionExpression": "sk = :pk"}, {}),
        ({"KeyConditions": {"pk": {"AttributeValueList": [{"S": "RUN#a"}]}}}, {}),
        ({"KeyConditionExpression": "pk = :pk", "IndexName": "by_kind"}, {}),
    ],
    ids=["plain", "a placeholder", "another attribute", "the older form tells nothing", "of an index nothing is known"],
)
def test_a_querys_partition_is_its_leading_key(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], leading: dict[str, Any]
) -> None:
    monkeypatch.setattr(permissions, "partition_key", lambda *_: "pk")
    values = {":pk": {"S": "RUN#a"}, ":sk": {"S": "OUTCOME"}}
    (found,) = permissions.needed(call("dynamodb", "Query", TableName="t", ExpressionAttributeValues=values, **given))
    assert found.context == leading
