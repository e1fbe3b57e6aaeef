"""Strict mode: roles may do what their policies say, and are denied all else in AWS's words."""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.parity.conftest import client_maker, running_cloud

ACCOUNT = "123456789012"
OTHER = "210987654321"
Client = Callable[..., Any]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with running_cloud(tmp_path_factory.mktemp("strict"), "--strict") as (_, written):
        yield written


@pytest.fixture(scope="module")
def root(strict: dict[str, Any]) -> Client:
    """Clients with the keys of the account itself."""
    return client_maker(strict)


@pytest.fixture
def role(root: Client) -> Iterator[Callable[..., str]]:
    """`role(statement, …, trusts=)`: the ARN of a role with these statements, which is gone after the test."""
    made: list[str] = []

    def make(*statements: dict[str, Any], trusts: str = "states.amazonaws.com", **condition: Any) -> str:
        name = f"role-{uuid.uuid4().hex[:8]}"
        trust = {"Effect": "Allow", "Principal": {"Service": trusts}, "Action": "sts:AssumeRole"}
        if condition:
            trust["Condition"] = condition["condition"]
        created = root("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]
        made.append(name)
        if statements:
            root("iam").put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
        return str(created["Arn"])

    yield make
    for name in made:
        for one in root("iam").list_role_policies(RoleName=name)["PolicyNames"]:
            root("iam").delete_role_policy(RoleName=name, PolicyName=one)
        root("iam").delete_role(RoleName=name)


@pytest.fixture
def as_role(strict: dict[str, Any], root: Client) -> Callable[..., Any]:
    """`as_role(arn, "s3")`: a client with keys that STS gave for a role."""

    def make(role_arn: str, service: str) -> Any:
        keys = root("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
        create: Any = boto3.session.Session().client
        return create(
            service,
            region_name=strict["region"],
            endpoint_url=strict["endpoint"],
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
            config=Config(retries={"max_attempts": 0}),
        )

    return make


@pytest.fixture(scope="module")
def bucket(root: Client) -> str:
    name = f"strict-{uuid.uuid4().hex[:8]}"
    root("s3").create_bucket(Bucket=name)
    root("s3").put_object(Bucket=name, Key="open/a", Body=b"x")
    root("s3").put_object(Bucket=name, Key="closed/a", Body=b"x")
    return name


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str], resource: str | list[str], **condition: Any) -> dict[str, Any]:
    given = {"Condition": condition} if condition else {}
    return {"Effect": "Allow", "Action": action, "Resource": resource, **given}


def denied(call: Callable[[], Any]) -> dict[str, Any]:
    with pytest.raises(ClientError) as raised:
        call()
    error = raised.value.response["Error"]
    assert error["Code"] in ("AccessDenied", "AccessDeniedException", "403"), error
    return dict(error)


def test_a_role_does_what_its_policy_says_and_nothing_else(role: Any, as_role: Any, bucket: str) -> None:
    arn = role(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/open/*"))
    s3 = as_role(arn, "s3")
    assert s3.get_object(Bucket=bucket, Key="open/a")["Body"].read() == b"x"
    for call in (
        lambda: s3.get_object(Bucket=bucket, Key="closed/a"),
        lambda: s3.put_object(Bucket=bucket, Key="open/b", Body=b"x"),
        lambda: s3.delete_object(Bucket=bucket, Key="open/a"),
        lambda: s3.list_objects_v2(Bucket=bucket),
        lambda: s3.list_buckets(),
        lambda: s3.get_object(Bucket=bucket, Key="open/a", VersionId="null"),
        lambda: s3.copy_object(Bucket=bucket, Key="open/c", CopySource={"Bucket": bucket, "Key": "closed/a"}),
    ):
        denied(call)


def test_a_denial_has_awss_words(role: Any, as_role: Any, bucket: str) -> None:
    arn = role(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/open/*"))
    name = arn.rpartition("/")[2]
    told = denied(lambda: as_role(arn, "s3").get_object(Bucket=bucket, Key="closed/a"))["Message"]
    assert told == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{name}/test is not authorized to perform: s3:GetObject on "
        f"resource: arn:aws:s3:::{bucket}/closed/a because no identity-based policy allows the s3:GetObject action"
    )


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "action"),
    [
        ("dynamodb", "get_item", {"TableName": "t", "Key": {"pk": {"S": "a"}}}, "dynamodb:GetItem"),
        ("sqs", "list_queues", {}, "sqs:ListQueues"),
        ("sns", "publish", {"TopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:t", "Message": "m"}, "sns:Publish"),
        ("batch", "describe_jobs", {"jobs": ["a"]}, "batch:DescribeJobs"),
        ("lambda", "invoke", {"FunctionName": "f"}, "lambda:InvokeFunction"),
        ("stepfunctions", "list_state_machines", {}, "states:ListStateMachines"),
        ("cloudwatch", "put_metric_data", {"Namespace": "n", "MetricData": []}, "cloudwatch:PutMetricData"),
        ("iam", "list_roles", {}, "iam:ListRoles"),
        ("cloudformation", "list_stacks", {}, "cloudformation:ListStacks"),
        ("events", "put_events", {"Entries": [{"Source": "s"}]}, "events:PutEvents"),
    ],
)
def test_every_protocol_says_no(
    role: Any, as_role: Any, service: str, operation: str, arguments: dict[str, Any], action: str
) -> None:
    told = denied(lambda: getattr(as_role(role(), service), operation)(**arguments))
    assert f"is not authorized to perform: {action}" in told["Message"]


def test_who_one_is_everybody_may_ask(role: Any, as_role: Any) -> None:
    arn = role()
    told = as_role(arn, "sts").get_caller_identity()["Arn"]
    assert told == f"arn:aws:sts::{ACCOUNT}:assumed-role/{arn.rpartition('/')[2]}/test"


def test_a_missing_object_is_told_to_those_who_may_list(role: Any, as_role: Any, bucket: str) -> None:
    read = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*")
    denied(lambda: as_role(role(read), "s3").get_object(Bucket=bucket, Key="open/none"))
    denied(lambda: as_role(role(read), "s3").head_object(Bucket=bucket, Key="open/none"))
    listing = as_role(role(read, allow("s3:ListBucket", f"arn:aws:s3:::{bucket}")), "s3")
    with pytest.raises(ClientError) as raised:
        listing.get_object(Bucket=bucket, Key="open/none")
    assert raised.value.response["Error"]["Code"] == "NoSuchKey"


def test_conditions_bind(role: Any, as_role: Any, bucket: str) -> None:
    prefix = {"StringLike": {"s3:prefix": "open/*"}}
    s3 = as_role(role(allow("s3:ListBucket", f"arn:aws:s3:::{bucket}", **prefix)), "s3")
    assert s3.list_objects_v2(Bucket=bucket, Prefix="open/")["KeyCount"] == 1
    denied(lambda: s3.list_objects_v2(Bucket=bucket, Prefix="closed/"))
    denied(lambda: s3.list_objects_v2(Bucket=bucket))
    namespace = {"StringEquals": {"cloudwatch:namespace": "Mine"}}
    metrics = as_role(role(allow("cloudwatch:PutMetricData", "*", **namespace)), "cloudwatch")
    metrics.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "m", "Value": 1}])
    denied(lambda: metrics.put_metric_data(Namespace="Yours", MetricData=[{"MetricName": "m", "Value": 1}]))


def test_tags_of_roles_and_users_fill_a_policy(
    strict: dict[str, Any], root: Client, role: Any, as_role: Any, bucket: str
) -> None:
    statement = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/${{aws:PrincipalTag/team}}/*")
    arn = role(statement)
    untagged = as_role(arn, "s3")
    denied(lambda: untagged.get_object(Bucket=bucket, Key="open/a"))
    root("iam").tag_role(RoleName=arn.rpartition("/")[2], Tags=[{"Key": "team", "Value": "open"}])
    assert untagged.get_object(Bucket=bucket, Key="open/a")["Body"].read() == b"x"
    denied(lambda: untagged.get_object(Bucket=bucket, Key="closed/a"))

    user = f"user-{uuid.uuid4().hex[:8]}"
    root("iam").create_user(UserName=user, Tags=[{"Key": "team", "Value": "closed"}])
    root("iam").put_user_policy(UserName=user, PolicyName="own", PolicyDocument=policy(statement))
    keys = root("iam").create_access_key(UserName=user)["AccessKey"]
    create: Any = boto3.session.Session().client
    s3 = create(
        "s3",
        region_name=strict["region"],
        endpoint_url=strict["endpoint"],
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
    )
    assert s3.get_object(Bucket=bucket, Key="closed/a")["Body"].read() == b"x"
    denied(lambda: s3.get_object(Bucket=bucket, Key="open/a"))


def test_leading_keys_bind_an_item(root: Client, role: Any, as_role: Any) -> None:
    name = f"t-{uuid.uuid4().hex[:6]}"
    root("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    bound = {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["MINE#*"]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
    both = ["dynamodb:PutItem", "dynamodb:Query"]
    arn = role(allow(both, f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{name}", **bound))
    table = as_role(arn, "dynamodb")
    table.put_item(TableName=name, Item={"pk": {"S": "MINE#1"}})
    denied(lambda: table.put_item(TableName=name, Item={"pk": {"S": "YOURS#1"}}))
    put = {"Put": {"TableName": name, "Item": {"pk": {"S": "YOURS#1"}}}}
    denied(lambda: table.transact_write_items(TransactItems=[put]))

    def query(partition: str) -> Any:
        value = {":pk": {"S": partition}}
        return table.query(TableName=name, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=value)

    assert query("MINE#1")["Count"] == 1
    denied(lambda: query("YOURS#1"))


def test_a_denial_wins_wherever_it_stands(root: Client, role: Any, as_role: Any) -> None:
    name = f"guarded-{uuid.uuid4().hex[:6]}"
    root("s3").create_bucket(Bucket=name)
    everything = allow("s3:*", [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"])
    refused = {**everything, "Effect": "Deny", "Action": "s3:PutObject"}
    told = denied(lambda: as_role(role(everything, refused), "s3").put_object(Bucket=name, Key="k", Body=b""))
    assert told["Message"].endswith("with an explicit deny in an identity-based policy")
    root("s3").put_bucket_policy(Bucket=name, Policy=policy({**refused, "Principal": "*"}))
    told = denied(lambda: as_role(role(everything), "s3").put_object(Bucket=name, Key="k", Body=b""))
    assert told["Message"].endswith("with an explicit deny in a resource-based policy")


def test_another_accounts_bucket_takes_both_policies(root: Client, role: Any, as_role: Any) -> None:
    name = f"theirs-{uuid.uuid4().hex[:6]}"
    theirs = root("s3", account=OTHER)
    theirs.create_bucket(Bucket=name)
    theirs.put_object(Bucket=name, Key="k", Body=b"x")
    read = allow("s3:GetObject", f"arn:aws:s3:::{name}/*")
    arn = role(read)
    told = denied(lambda: as_role(arn, "s3").get_object(Bucket=name, Key="k"))
    assert told["Message"].endswith("because no resource-based policy allows the s3:GetObject action")
    named = {**read, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    theirs.put_bucket_policy(Bucket=name, Policy=policy(named))
    assert as_role(arn, "s3").get_object(Bucket=name, Key="k")["Body"].read() == b"x"
    denied(lambda: as_role(role(), "s3").get_object(Bucket=name, Key="k"))


def test_a_role_is_handed_over_by_who_may_pass_it(role: Any, as_role: Any) -> None:
    model = role(trusts="sagemaker.amazonaws.com")
    create = allow("sagemaker:CreateModel", f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model/*")
    request = {"PrimaryContainer": {"Image": "i", "ModelDataUrl": "s3://b/k"}, "ExecutionRoleArn": model}

    def passing(*statements: dict[str, Any]) -> Any:
        return as_role(role(create, *statements), "sagemaker")

    def to(service: str) -> dict[str, Any]:
        return {"StringEquals": {"iam:PassedToService": service}}

    told = denied(lambda: passing().create_model(ModelName="m1", **request))
    assert f"iam:PassRole on resource: {model}" in told["Message"]
    wrong = allow("iam:PassRole", model, **to("lambda.amazonaws.com"))
    denied(lambda: passing(wrong).create_model(ModelName="m1", **request))
    right = allow("iam:PassRole", model, **to("sagemaker.amazonaws.com"))
    assert passing(right).create_model(ModelName="m1", **request)["ModelArn"].endswith("/m1")


def _machine(root: Client, role_arn: str, **task: Any) -> str:
    states = {"Do": {"Type": "Task", "End": True, **task}}
    definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": "Do", "States": states})
    created = root("stepfunctions").create_state_machine(
        name=f"m-{uuid.uuid4().hex[:8]}", definition=definition, roleArn=role_arn
    )
    return str(created["stateMachineArn"])


def _run(root: Client, machine: str, wait_until: Any) -> dict[str, Any]:
    started = root("stepfunctions").start_execution(stateMachineArn=machine)["executionArn"]

    def ended() -> dict[str, Any] | None:
        shown: dict[str, Any] = root("stepfunctions").describe_execution(executionArn=started)
        return shown if shown["status"] != "RUNNING" else None

    found: dict[str, Any] = wait_until(ended, 60)
    return found


PUT_EVENTS = {
    "Resource": "arn:aws:states:::events:putEvents",
    "Arguments": {"Entries": [{"Source": "s", "DetailType": "d", "Detail": {}, "EventBusName": "default"}]},
}


def test_a_machines_task_is_its_roles_call(root: Client, role: Any, wait_until: Any) -> None:
    lacking = _run(root, _machine(root, role(), **PUT_EVENTS), wait_until)
    assert lacking["status"] == "FAILED"
    assert "is not authorized to perform: events:PutEvents on resource" in lacking["cause"]
    may = role(allow("events:PutEvents", f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"))
    assert _run(root, _machine(root, may, **PUT_EVENTS), wait_until)["status"] == "SUCCEEDED"


def test_a_role_is_taken_on_by_whom_it_trusts_only(root: Client, role: Any, wait_until: Any) -> None:
    put = allow("events:PutEvents", "*")
    for arn in (
        role(put, trusts="lambda.amazonaws.com"),
        role(put, condition={"StringEquals": {"aws:SourceAccount": OTHER}}),
        role(put, condition={"ArnLike": {"aws:SourceArn": f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:other"}}),
    ):
        ended = _run(root, _machine(root, arn, **PUT_EVENTS), wait_until)
        assert ended["status"] == "FAILED"
        assert "authorized to assume the provided role" in ended["cause"]
    bound = role(put, condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}})
    assert _run(root, _machine(root, bound, **PUT_EVENTS), wait_until)["status"] == "SUCCEEDED"


def test_a_machine_that_waits_needs_its_managed_rule(root: Client, role: Any) -> None:
    child = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:child"
    task = {"Resource": "arn:aws:states:::states:startExecution.sync:2", "Arguments": {"StateMachineArn": child}}
    told = denied(lambda: _machine(root, role(), **task))
    assert told["Message"].endswith("is not authorized to create managed-rule.")
    rule = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    _machine(root, role(allow(["events:PutRule", "events:PutTargets", "events:DescribeRule"], rule)), **task)


def _queue(root: Client) -> tuple[str, str]:
    url = root("sqs").create_queue(QueueName=f"q-{uuid.uuid4().hex[:6]}")["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:{ACCOUNT}:{url.rpartition('/')[2]}"


def _let_in(root: Client, url: str, arn: str, **condition: Any) -> None:
    statement = allow("sqs:SendMessage", arn, **condition) | {"Principal": {"Service": "events.amazonaws.com"}}
    root("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(statement)})


def test_a_rule_delivers_where_it_is_let_in(root: Client, role: Any, wait_until: Any) -> None:
    source = f"source-{uuid.uuid4().hex[:6]}"
    closed, open_, dead = _queue(root), _queue(root), _queue(root)
    rule_arn = root("events").put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))["RuleArn"]
    _let_in(root, *dead, StringEquals={"aws:SourceAccount": ACCOUNT})
    _let_in(root, *open_, ArnEquals={"aws:SourceArn": rule_arn})
    machine = _machine(root, role(), **PUT_EVENTS)
    letters = {"Arn": dead[1]}
    root("events").put_targets(
        Rule=source,
        Targets=[
            {"Id": "closed", "Arn": closed[1], "DeadLetterConfig": letters},
            {"Id": "open", "Arn": open_[1], "DeadLetterConfig": letters},
            {
                "Id": "machine",
                "Arn": machine,
                "RoleArn": role(trusts="events.amazonaws.com"),
                "DeadLetterConfig": letters,
            },
        ],
    )
    root("events").put_events(Entries=[{"Source": source, "DetailType": "d", "Detail": "{}"}])
    wait_until(lambda: root("sqs").receive_message(QueueUrl=open_[0]).get("Messages"))
    heard: dict[str, str] = {}

    def both() -> bool:
        request = {"QueueUrl": dead[0], "MessageAttributeNames": ["All"], "MaxNumberOfMessages": 10}
        for one in root("sqs").receive_message(**request).get("Messages", []):
            told = {name: value["StringValue"] for name, value in one["MessageAttributes"].items()}
            heard[told["TARGET_ARN"]] = told["ERROR_CODE"]
        return len(heard) == 2

    wait_until(both)
    assert heard == {closed[1]: "NO_PERMISSIONS", machine: "NO_PERMISSIONS"}
    assert root("sqs").receive_message(QueueUrl=closed[0]).get("Messages") is None


def test_a_forged_session_is_refused(strict: dict[str, Any]) -> None:
    create: Any = boto3.session.Session().client
    forged = create(
        "sts",
        region_name="us-east-1",
        endpoint_url=strict["endpoint"],
        aws_access_key_id=f"LOCALROL{ACCOUNT}",
        aws_secret_access_key="x" * 40,
        aws_session_token="e30.x",
    )
    with pytest.raises(ClientError, match="session token was not made by this cloud"):
        forged.get_caller_identity()


def test_what_was_allowed_and_denied_is_in_the_ledger(
    strict: dict[str, Any], role: Any, as_role: Any, bucket: str
) -> None:
    arn = role(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/open/*") | {"Sid": "Open"})
    as_role(arn, "s3").get_object(Bucket=bucket, Key="open/a")
    for key in ("closed/a", "closed/a", "closed/b"):  # what is denied is tried again and again
        denied(functools.partial(as_role(arn, "s3").get_object, Bucket=bucket, Key=key))
    told = [(line["sid"], line["resource"].rpartition(":")[2], line["denied"] is None) for line in ledger(strict, arn)]
    closed = [(None, f"{bucket}/closed/{name}", False) for name in "ab"]
    assert told == [("Open", f"{bucket}/open/a", True), *closed]


def test_the_ledger_tells_what_would_have_been_denied_without_the_statement(
    strict: dict[str, Any], role: Any, as_role: Any, bucket: str
) -> None:
    arn = role(
        allow("s3:GetObject", f"arn:aws:s3:::{bucket}/open/*") | {"Sid": "Open"},
        allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*") | {"Sid": "All"},
    )
    told = []
    for key in ("open/a", "closed/a", "open/a"):
        as_role(arn, "s3").get_object(Bucket=bucket, Key=key)
        told.append([(line["sid"], line["needed"]) for line in ledger(strict, arn)])
    # Both allow the first; only one allows the second. What is known is not noted again.
    assert told == [[("Open", False)], [("Open", False), ("All", True)], [("Open", False), ("All", True)]]


def ledger(strict: dict[str, Any], role_arn: str) -> list[dict[str, Any]]:
    """What a role was allowed and denied so far."""
    lines = [json.loads(line) for line in Path(strict["state_dir"], "access.jsonl").read_text().splitlines()]
    return [line for line in lines if line["who"] == role_arn]
