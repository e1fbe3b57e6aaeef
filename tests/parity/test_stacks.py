"""CloudFormation makes everything a template asks for, or nothing, and says why; updates happen in place."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_cloud.packaging import package

Client = Callable[..., Any]
IAM = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


@pytest.fixture
def name() -> str:
    return f"stack-{uuid.uuid4().hex[:8]}"


def create(client: Client, name: str, template: dict[str, Any] | str, **options: Any) -> dict[str, Any]:
    body = template if isinstance(template, str) else json.dumps(template)
    client("cloudformation").create_stack(StackName=name, TemplateBody=body, Capabilities=IAM, **options)
    return described(client, name)


def update(client: Client, name: str, template: dict[str, Any], **options: Any) -> dict[str, Any]:
    client("cloudformation").update_stack(
        StackName=name, TemplateBody=json.dumps(template), Capabilities=IAM, **options
    )
    return described(client, name)


def described(client: Client, name: str) -> dict[str, Any]:
    stack: dict[str, Any] = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return stack


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def resources(client: Client, name: str) -> dict[str, str]:
    found = client("cloudformation").list_stack_resources(StackName=name)["StackResourceSummaries"]
    return {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in found}


def test_intrinsics_conditions_and_parameters_reach_the_resources(client: Client, name: str) -> None:
    template: dict[str, Any] = {
        "Parameters": {
            "Names": {"Type": "CommaDelimitedList", "Default": "a,b"},
            "Days": {"Type": "Number", "Default": 14},
            "Encrypt": {"Type": "String", "Default": "no"},
        },
        "Conditions": {"Encrypted": {"Fn::Equals": [{"Ref": "Encrypt"}, "yes"]}},
        "Mappings": {"Sizes": {"small": {"Delay": "7"}}},
        "Resources": {
            "Jobs": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "DelaySeconds": {"Fn::FindInMap": ["Sizes", "small", "Delay"]},
                    "KmsMasterKeyId": {"Fn::If": ["Encrypted", "alias/aws/sqs", {"Ref": "AWS::NoValue"}]},
                },
            },
            "Extra": {"Type": "AWS::SQS::Queue", "Condition": "Encrypted"},
            "Logs": {
                "Type": "AWS::Logs::LogGroup",
                "Properties": {
                    "LogGroupName": {
                        "Fn::Sub": ["/${AWS::StackName}/${Second}", {"Second": {"Fn::Select": [1, {"Ref": "Names"}]}}]
                    },
                    "RetentionInDays": {"Ref": "Days"},
                },
                "DependsOn": "Jobs",
            },
        },
        "Outputs": {
            "Name": {"Value": {"Fn::Join": ["-", {"Ref": "Names"}]}},
            "Second": {"Value": {"Fn::Select": [1, {"Ref": "Names"}]}},
            "Arn": {"Value": {"Fn::GetAtt": ["Jobs", "Arn"]}},
            "Hidden": {"Value": "x", "Condition": "Encrypted"},
        },
    }
    stack = create(client, name, template)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack.get("StackStatusReason")
    assert outputs(stack)["Name"] == "a-b"
    assert outputs(stack)["Second"] == "b"
    assert outputs(stack)["Arn"].startswith("arn:aws:sqs:us-east-1:123456789012:")
    assert "Hidden" not in outputs(stack)
    assert sorted(resources(client, name)) == ["Jobs", "Logs"]
    queue = client("sqs").get_queue_attributes(QueueUrl=resources(client, name)["Jobs"], AttributeNames=["All"])
    assert queue["Attributes"]["DelaySeconds"] == "7"
    groups = client("logs").describe_log_groups(logGroupNamePrefix=f"/{name}/b")["logGroups"]
    assert groups[0]["retentionInDays"] == 14


def test_a_type_that_is_not_handled_is_refused_before_anything_is_made(client: Client, name: str) -> None:
    template = {
        "Resources": {"Q": {"Type": "AWS::SQS::Queue"}, "Twin": {"Type": "AWS::IoTTwinMaker::Scene", "Properties": {}}}
    }
    with pytest.raises(ClientError, match=r"Unrecognized resource types: \[Twin \(AWS::IoTTwinMaker::Scene\)\]"):
        create(client, name, template)
    with pytest.raises(ClientError, match="does not exist"):
        described(client, name)


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ({"Type": "AWS::SQS::Queue", "Properties": {"DelaySecond": 1}}, "property DelaySecond is not emulated"),
        (
            {"Type": "AWS::Batch::JobDefinition", "Properties": {"Type": "container", "Containerproperty": {}}},
            "property Containerproperty is not emulated",
        ),
        (
            {
                "Type": "AWS::S3::Bucket",
                "Properties": {"NotificationConfiguration": {"QueueConfigurations": []}},
            },
            "NotificationConfiguration.QueueConfigurations is not emulated",
        ),
        (
            {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::GetAtt": ["First", "Nothing"]}}},
            "does not support attribute type Nothing",
        ),
    ],
)
def test_a_failed_stack_is_rolled_back_and_says_which_resource_and_why(
    client: Client, name: str, resource: dict[str, Any], reason: str
) -> None:
    template = {"Resources": {"First": {"Type": "AWS::SQS::Queue"}, "Bad": {**resource, "DependsOn": "First"}}}
    stack = create(client, name, template)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in stack["StackStatusReason"]
    failed = [
        event
        for event in client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
        if event["ResourceStatus"] == "CREATE_FAILED"
    ]
    assert [event["LogicalResourceId"] for event in failed] == ["Bad"]
    assert reason in failed[0]["ResourceStatusReason"]
    assert not client("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls")


def machine_template(result: str) -> dict[str, Any]:
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": result, "End": True}}}
    return {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
                    "Policies": [{"PolicyName": "p", "PolicyDocument": {"Statement": [READ]}}],
                },
            },
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "BillingMode": "PAY_PER_REQUEST",
                    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                },
            },
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "DefinitionString": json.dumps(definition).replace('"A"', '"${State}"'),
                    "DefinitionSubstitutions": {"State": "A"},
                    "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                },
            },
            "Job": {
                "Type": "AWS::Batch::JobDefinition",
                "Properties": {
                    "Type": "container",
                    "RetryStrategy": {"Attempts": 3, "EvaluateOnExit": [{"Action": "EXIT", "OnExitCode": "*"}]},
                    "Timeout": {"AttemptDurationSeconds": "90"},
                    "PropagateTags": True,
                    "ContainerProperties": {
                        "Image": f"image:{result}",
                        "ResourceRequirements": [
                            {"Type": "VCPU", "Value": 1},
                            {"Type": "MEMORY", "Value": 512},
                        ],
                    },
                },
            },
        },
        "Outputs": {
            "Machine": {"Value": {"Ref": "Machine"}},
            "Table": {"Value": {"Ref": "Table"}},
            "Job": {"Value": {"Ref": "Job"}},
        },
    }


def test_an_update_changes_machine_and_job_in_place_and_keeps_data(client: Client, name: str) -> None:
    first = outputs(create(client, name, machine_template("one")))
    client("dynamodb").put_item(TableName=first["Table"], Item={"pk": {"S": "kept"}})
    second = outputs(update(client, name, machine_template("two")))
    assert second["Machine"] == first["Machine"]
    assert second["Table"] == first["Table"]
    assert first["Job"].endswith(":1")
    assert second["Job"].endswith(":2")
    definition = client("stepfunctions").describe_state_machine(stateMachineArn=first["Machine"])["definition"]
    assert json.loads(definition)["States"]["A"]["Result"] == "two"
    jobs = client("batch").describe_job_definitions(jobDefinitions=[second["Job"]])["jobDefinitions"]
    assert jobs[0]["containerProperties"]["image"] == "image:two"
    assert jobs[0]["timeout"] == {"attemptDurationSeconds": 90}
    assert jobs[0]["retryStrategy"]["attempts"] == 3
    assert client("dynamodb").scan(TableName=first["Table"])["Count"] == 1
    recovery = client("dynamodb").describe_continuous_backups(TableName=first["Table"])
    status = recovery["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    assert status == "ENABLED"


def test_an_update_without_changes_is_refused(client: Client, name: str) -> None:
    create(client, name, machine_template("one"))
    with pytest.raises(ClientError, match="No updates are to be performed"):
        update(client, name, machine_template("one"))
    cloudformation = client("cloudformation")
    planned = cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="none",
        ChangeSetType="UPDATE",
        TemplateBody=json.dumps(machine_template("one")),
        Capabilities=IAM,
    )
    found = cloudformation.describe_change_set(ChangeSetName=planned["Id"])
    assert found["Status"] == "FAILED"
    assert "didn't contain changes" in found["StatusReason"]


def test_a_failed_update_goes_back_to_what_was(client: Client, name: str) -> None:
    first = outputs(create(client, name, machine_template("one")))
    broken = machine_template("two")
    broken["Resources"]["Late"] = {
        "Type": "AWS::SQS::Queue",
        "Properties": {"Nonsense": 1},
        "DependsOn": ["Machine", "Job"],
    }
    stack = update(client, name, broken)
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "Late (AWS::SQS::Queue): AWS::SQS::Queue: property Nonsense" in stack["StackStatusReason"]
    definition = client("stepfunctions").describe_state_machine(stateMachineArn=first["Machine"])["definition"]
    assert json.loads(definition)["States"]["A"]["Result"] == "one"
    assert update(client, name, machine_template("three"))["StackStatus"] == "UPDATE_COMPLETE"


def test_resources_leave_with_the_template_and_the_stack_except_the_retained(client: Client, name: str) -> None:
    template: dict[str, Any] = {
        "Resources": {
            "Gone": {"Type": "AWS::SQS::Queue"},
            "Kept": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"},
            "Topic": {"Type": "AWS::SNS::Topic"},
        }
    }
    create(client, name, template)
    made = resources(client, name)
    del template["Resources"]["Gone"]
    update(client, name, template)
    assert sorted(resources(client, name)) == ["Kept", "Topic"]
    assert not client("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls")
    stack_id = described(client, name)["StackId"]
    client("cloudformation").delete_stack(StackName=name)
    assert described(client, stack_id)["StackStatus"] == "DELETE_COMPLETE"
    client("s3").head_bucket(Bucket=made["Kept"])
    with pytest.raises(ClientError):
        client("sns").get_topic_attributes(TopicArn=made["Topic"])


def test_iam_needs_the_callers_consent(client: Client, name: str) -> None:
    with pytest.raises(ClientError, match="InsufficientCapabilitiesException"):
        client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(machine_template("x")))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small SAM project: a function with a layer, a machine in YAML, a nested SAM stack, an image repository."""
    (tmp_path / "functions/greet/__pycache__").mkdir(parents=True)
    (tmp_path / "functions/greet/__pycache__/app.pyc").write_bytes(b"stale")
    (tmp_path / "functions/greet/app.py").write_text(
        "import greeting\ndef handler(event, context):\n    return greeting.TEXT + event['name']\n"
    )
    (tmp_path / "layers/core").mkdir(parents=True)
    (tmp_path / "layers/core/greeting.py").write_text("TEXT = 'Hello '\n")
    (tmp_path / "layers/core/requirements.txt").write_text("boto3>=1\n")
    (tmp_path / "machine.asl.yaml").write_text(
        "Comment: greets\nStartAt: Greet\nStates:\n  Greet:\n    Type: Task\n"
        "    Resource: ${GreetFunction}\n    End: true\n"
    )
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/child.yaml").write_text(
        "Transform: AWS::Serverless-2016-10-31\nParameters:\n  Who: {Type: String}\nResources:\n"
        "  Store: {Type: AWS::Serverless::SimpleTable}\nOutputs:\n  Name: {Value: !Sub '${Who}-${Store}'}\n"
    )
    (tmp_path / "template.yaml").write_text(
        """
Transform: AWS::Serverless-2016-10-31
Resources:
  CoreLayer:
    Type: AWS::Serverless::LayerVersion
    Metadata: {BuildMethod: python3.13}
    Properties: {ContentUri: layers/core, CompatibleRuntimes: [python3.13]}
  GreetFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/greet, Handler: app.handler, Runtime: python3.13, Layers: [!Ref CoreLayer]}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: machine.asl.yaml
      DefinitionSubstitutions: {GreetFunction: !GetAtt GreetFunction.Arn}
      Policies: [{LambdaInvokePolicy: {FunctionName: !Ref GreetFunction}}]
      Events:
        Asked:
          Type: EventBridgeRule
          Properties: {Pattern: {source: [greeter]}}
  Child:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: stacks/child.yaml, Parameters: {Who: !Ref AWS::StackName}}
  Images:
    Type: AWS::ECR::Repository
    Metadata: {Dockerfile: Dockerfile, DockerContext: .}
    Properties: {RepositoryName: !Sub "${AWS::StackName}/images"}
Outputs:
  Function: {Value: !Ref GreetFunction}
  Machine: {Value: !Ref Machine}
  Child: {Value: !GetAtt Child.Outputs.Name}
  Image: {Value: !GetAtt Images.RepositoryUri}
"""
    )
    return tmp_path


def test_a_sam_project_is_packaged_deployed_and_runs(
    client: Client, name: str, project: Path, wait_until: Callable[..., Any]
) -> None:
    client("s3").create_bucket(Bucket=f"{name}-code")
    body = package(project / "template.yaml", project, client("s3"), f"{name}-code")
    assert package(project / "template.yaml", project, client("s3"), f"{name}-code") == body
    cloudformation = client("cloudformation")
    planned = cloudformation.create_change_set(
        StackName=name, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=body, Capabilities=IAM
    )
    assert described(client, name)["StackStatus"] == "REVIEW_IN_PROGRESS"
    cloudformation.get_waiter("change_set_create_complete").wait(ChangeSetName=planned["Id"])
    cloudformation.execute_change_set(ChangeSetName=planned["Id"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name)
    made = outputs(described(client, name))
    reply = client("lambda").invoke(FunctionName=made["Function"], Payload=b'{"name": "Ada"}')
    assert json.loads(reply["Payload"].read()) == "Hello Ada"
    assert made["Child"].startswith(f"{name}-{name}-Child-")
    assert made["Image"] == f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{name}/images"
    started = client("stepfunctions").start_execution(stateMachineArn=made["Machine"], input='{"name": "Bob"}')

    def ended() -> Any:
        found = client("stepfunctions").describe_execution(executionArn=started["executionArn"])
        return found if found["status"] != "RUNNING" else None

    assert wait_until(ended)["output"] == '"Hello Bob"'
    (project / "functions/greet/app.py").write_text("def handler(event, context):\n    return 'changed'\n")
    body = package(project / "template.yaml", project, client("s3"), f"{name}-code")
    assert update(client, name, json.loads(body))["StackStatus"] == "UPDATE_COMPLETE"
    reply = client("lambda").invoke(FunctionName=made["Function"], Payload=b"{}")
    assert json.loads(reply["Payload"].read()) == "changed"
    children = [stack for stack in cloudformation.describe_stacks()["Stacks"] if stack.get("ParentId")]
    assert described(client, name)["StackId"] in [stack["ParentId"] for stack in children]
    cloudformation.delete_stack(StackName=name)
    with pytest.raises(ClientError, match="does not exist"):
        described(client, name)


def test_a_change_set_option_that_would_be_ignored_is_refused_by_name(client: Client, name: str) -> None:
    template = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    with pytest.raises(ClientError, match="ImportExistingResources is not emulated"):
        client("cloudformation").create_change_set(
            StackName=name,
            ChangeSetName="import",
            ChangeSetType="CREATE",
            TemplateBody=template,
            ImportExistingResources=True,
        )
