"""A cloud that is killed within a stack operation: it goes on, and leaves what an undisturbed one leaves, no more."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from tests.faults.killed_cloud import KilledCloud, until

pytestmark = pytest.mark.timeout(1_200)  # a busy machine is slow, and not wrong
NAME = "killed"
IAM = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
STATEMENT = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
TRUST = {"Statement": [STATEMENT]}
READ = {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
PASS = {"StartAt": "Done", "States": {"Done": {"Type": "Pass", "End": True}}}
CHILD = {"Resources": {"Inner": {"Type": "AWS::SQS::Queue"}, "InnerTopic": {"Type": "AWS::SNS::Topic"}}}


def template(version: int) -> dict[str, Any]:
    """With names of its own and with fixed ones; another version changes, replaces, adds and removes."""
    resources: dict[str, Any] = {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "RoleName": "fixed",
                "AssumeRolePolicyDocument": TRUST,
                "Policies": [{"PolicyName": f"read-{version}", "PolicyDocument": READ}],
            },
        },
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": version}},
        "Fixed": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "fixed"}},
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Subscription": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "TopicArn": {"Ref": "Topic"},
                "Protocol": "sqs",
                "Endpoint": {"Fn::GetAtt": "Queue.Arn"},
                "RawMessageDelivery": version == 1,
            },
        },
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": "fixed",
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            },
        },
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"VersioningConfiguration": {"Status": "Enabled"}, "BucketName": "fixed-bucket"},
        },
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "fixed", "RetentionInDays": 7}},
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "fixed",
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": "Role.Arn"},
                "Code": {"ZipFile": f"def handler(event, context): return {version}"},
            },
        },
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com",
                "SourceAccount": f"{version:012d}",
            },
        },
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"RoleArn": {"Fn::GetAtt": "Role.Arn"}, "Definition": {**PASS, "Comment": str(version)}},
        },
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": {"source": ["none"]},
                "Targets": [{"Id": f"q{version}", "Arn": {"Fn::GetAtt": "Queue.Arn"}}],
            },
        },
        "Environment": {
            "Type": "AWS::Batch::ComputeEnvironment",
            "Properties": {"ComputeEnvironmentName": "fixed", "Type": "UNMANAGED", "State": "ENABLED"},
        },
        "Jobs": {
            "Type": "AWS::Batch::JobQueue",
            "Properties": {
                "JobQueueName": "fixed",
                "Priority": version,
                "ComputeEnvironmentOrder": [{"Order": 1, "ComputeEnvironment": {"Ref": "Environment"}}],
            },
        },
        "Definition": {
            "Type": "AWS::Batch::JobDefinition",
            "Properties": {
                "Type": "container",
                "ContainerProperties": {"Image": "any", "Vcpus": 1, "Memory": 128 * version},
            },
        },
        "Network": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": f"10.{version}.0.0/16"}},
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"GroupDescription": "any", "VpcId": {"Ref": "Network"}},
        },
        "Nested": {
            "Type": "AWS::CloudFormation::Stack",
            "Properties": {"TemplateURL": f"https://s3.amazonaws.com/templates/{version}.json"},
        },
    }
    resources[f"Extra{version}"] = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}
    return {"Resources": resources}


def failing() -> dict[str, Any]:
    """Version 2, whose last resource cannot be made."""
    made = template(2)
    made["Resources"]["Impossible"] = {
        "Type": "AWS::SQS::QueuePolicy",
        "DependsOn": [name for name in made["Resources"] if name != "Extra2"],
        "Properties": {"Queues": ["http://127.0.0.1/none"], "PolicyDocument": READ},
    }
    return made


def world(client: Callable[..., Any]) -> dict[str, int]:
    """How many there are of each kind, whoever made them."""
    batch, ec2 = client("batch"), client("ec2")
    stacks = client("cloudformation").list_stacks()["StackSummaries"]
    definitions = batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"]
    functions = client("lambda").list_functions()["Functions"]
    statements = [_statements(client, function["FunctionName"]) for function in functions]
    rules = client("events").list_rules()["Rules"]
    targets = [client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"] for rule in rules]
    roles = client("iam").list_roles(PathPrefix="/")["Roles"]
    policies = [client("iam").list_role_policies(RoleName=role["RoleName"])["PolicyNames"] for role in roles]
    return {
        "stacks": len([stack for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"]),
        "roles": len([role for role in roles if role["Path"] == "/"]),
        "policies": sum(map(len, policies)),
        "queues": len(client("sqs").list_queues().get("QueueUrls", [])),
        "topics": len(client("sns").list_topics()["Topics"]),
        "subscriptions": len(client("sns").list_subscriptions()["Subscriptions"]),
        "tables": len(client("dynamodb").list_tables()["TableNames"]),
        "buckets": len(client("s3").list_buckets()["Buckets"]),
        "log groups": len(client("logs").describe_log_groups()["logGroups"]),
        "functions": len(functions),
        "statements": sum(statements),
        "machines": len(client("stepfunctions").list_state_machines()["stateMachines"]),
        "rules": len(rules),
        "targets": sum(map(len, targets)),
        "environments": len(batch.describe_compute_environments()["computeEnvironments"]),
        "job queues": len(batch.describe_job_queues()["jobQueues"]),
        "definitions": len(definitions),
        "networks": len(ec2.describe_vpcs()["Vpcs"]),
        "groups": len(ec2.describe_security_groups()["SecurityGroups"]),
        "parameters": len(client("ssm").describe_parameters()["Parameters"]),
    }


def _statements(client: Callable[..., Any], function: str) -> int:
    try:
        return len(json.loads(client("lambda").get_policy(FunctionName=function)["Policy"])["Statement"])
    except ClientError:
        return 0


class Operations:
    """Stack operations on a cloud that may be killed within them."""

    def __init__(self, cloud: KilledCloud) -> None:
        self.cloud = cloud
        for version in (1, 2):
            body = json.dumps({**CHILD, "Description": str(version), "Resources": _child(version)}).encode()
            cloud.client("s3").put_object(Bucket="templates", Key=f"{version}.json", Body=body)

    def create(self, point: str = "") -> str:
        return self._do("create_stack", point, TemplateBody=json.dumps(template(1)), Capabilities=IAM)

    def update(self, wanted: dict[str, Any], point: str = "") -> str:
        return self._do("update_stack", point, TemplateBody=json.dumps(wanted), Capabilities=IAM)

    def delete(self, point: str = "") -> str:
        return self._do("delete_stack", point)

    def _do(self, operation: str, point: str, **given: Any) -> str:
        """The stack's status in the end; killed at a point in between, if one is named."""
        call = getattr(self.cloud.client("cloudformation"), operation)
        if not point:
            call(StackName=NAME, **given)
            return self._ended()
        self.cloud.arm(point)
        thread = threading.Thread(target=_until_broken, args=(call, {"StackName": NAME, **given}))
        thread.start()
        assert self.cloud.has_died_within(240), f"{operation} never came to {point}"
        thread.join()
        self.cloud.start()
        return self._ended()

    def _ended(self) -> str:
        def look() -> str:
            stacks = self.cloud.client("cloudformation").list_stacks()["StackSummaries"]
            found = [stack["StackStatus"] for stack in stacks if stack["StackName"] == NAME]
            return "" if not found or found[0].endswith("_IN_PROGRESS") else str(found[0])

        return str(until(look, 240, "an end of the operation"))


def _child(version: int) -> dict[str, Any]:
    inner = {**CHILD["Resources"]["Inner"], "Properties": {"DelaySeconds": version}}
    return {**CHILD["Resources"], "Inner": inner, f"Inner{version}": {"Type": "AWS::SQS::Queue"}}


def _until_broken(call: Callable[..., Any], given: dict[str, Any]) -> None:
    try:
        call(**given)
    except (BotoCoreError, ResponseParserError):
        """The cloud is gone."""


@dataclass(frozen=True)
class Worlds:
    """What there is of each kind without the stack, with its first version and with its second, undisturbed."""

    nothing: dict[str, int]
    first: dict[str, int]
    second: dict[str, int]


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operations]:
    cloud = KilledCloud(tmp_path_factory.mktemp("stacks") / "state")
    cloud.start()
    cloud.client("s3").create_bucket(Bucket="templates")
    yield Operations(cloud)
    cloud.stop()


@pytest.fixture(scope="module")
def worlds(operations: Operations) -> Worlds:
    nothing = world(operations.cloud.client)
    assert operations.create() == "CREATE_COMPLETE"
    first = world(operations.cloud.client)
    assert operations.update(template(2)) == "UPDATE_COMPLETE"
    second = world(operations.cloud.client)
    assert operations.delete() == "DELETE_COMPLETE"
    return Worlds(nothing, first, second)


def test_a_create_and_a_delete_go_on(operations: Operations, worlds: Worlds) -> None:
    for made, deleted in (("resource-made:6", "resource-deleted:9"), ("after-commit:14", "before-commit:12")):
        assert operations.create(made) == "CREATE_COMPLETE"
        assert world(operations.cloud.client) == worlds.first
        assert operations.delete(deleted) == "DELETE_COMPLETE"
        assert world(operations.cloud.client) == worlds.nothing


def test_an_update_goes_on(operations: Operations, worlds: Worlds) -> None:
    for point in ("resource-made:6", "resource-deleted:2"):
        operations.create()
        assert operations.update(template(2), point) == "UPDATE_COMPLETE"
        assert world(operations.cloud.client) == worlds.second
        assert operations.delete() == "DELETE_COMPLETE"
        assert world(operations.cloud.client) == worlds.nothing


def test_an_update_that_fails_is_undone_whoever_did_it(operations: Operations, worlds: Worlds) -> None:
    operations.create()
    for point in ("resource-made:8", "resource-deleted:1"):
        assert operations.update(failing(), point) == "UPDATE_ROLLBACK_COMPLETE"
        assert world(operations.cloud.client) == worlds.first
    assert operations.delete() == "DELETE_COMPLETE"
    assert world(operations.cloud.client) == worlds.nothing
