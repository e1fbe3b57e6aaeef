"""What a scenario test needs of a deployed stack, through ordinary AWS clients only."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import boto3
from boto3.dynamodb.types import TypeDeserializer

Item = dict[str, Any]
Found = TypeVar("Found")

POLL_S = 0.1


class TookTooLongError(AssertionError):
    """Something that a scenario waited for did not come."""


def wait_for(look: Callable[[], Found | None], what: str, limit_s: float = 90) -> Found:
    """What `look` finds first, asked every `POLL_S`.

    Raises: TookTooLongError after `limit_s` seconds.
    """
    give_up_at = time.monotonic() + limit_s
    while (found := look()) is None:
        if time.monotonic() > give_up_at:
            raise TookTooLongError(f"{what} did not come within {limit_s} s")
        time.sleep(POLL_S)
    return found


@dataclass
class LiveCloud:
    """A deployed stack and the clients to look into it."""

    environment: dict[str, str]
    stack: str = "turbine"
    _clients: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def session(self) -> boto3.session.Session:
        return boto3.session.Session(
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
        )

    def client(self, service: str) -> Any:
        if service not in self._clients:
            endpoint = self.environment.get("AWS_ENDPOINT_URL")
            self._clients[service] = self.session.client(service, endpoint_url=endpoint)  # type: ignore[call-overload]
        return self._clients[service]

    @cached_property
    def outputs(self) -> dict[str, str]:
        (stack,) = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    # ---- S3 ----
    def put(self, key: str, body: bytes | dict[str, Any], bucket: str | None = None) -> str:
        """Put an object into the data bucket (or another); returns its version id."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        bucket = bucket or self.outputs["DataBucketName"]
        return str(self.client("s3").put_object(Bucket=bucket, Key=key, Body=data)["VersionId"])

    def read(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return bytes(self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())

    def read_json(self, uri: str) -> Any:
        return json.loads(self.read(uri))

    def run_uri(self, team: str, run_id: str, name: str = "") -> str:
        return f"s3://{self.outputs['ArtifactBucketName']}/runs/{team}/{run_id}/{name}"

    def keys(self, uri: str) -> list[str]:
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    # ---- the table ----
    def item(self, pk: str, sk: str, table: str | None = None) -> Item | None:
        """An item of the training table, or of another."""
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        answer = self.client("dynamodb").get_item(
            TableName=table or self.outputs["TableName"], Key=key, ConsistentRead=True
        )
        return _plain(answer["Item"]) if "Item" in answer else None

    def of_kind(self, kind: str) -> list[Item]:
        """Runs (`run`) or refused manifests (`rejection`), oldest first."""
        pages = (
            self.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.outputs["TableName"],
                IndexName="by_kind",
                KeyConditionExpression="kind = :kind",
                ExpressionAttributeValues={":kind": {"S": kind}},
            )
        )
        return [_plain(item) for page in pages for item in page["Items"]]

    def outcome(self, run_id: str, limit_s: float = 120) -> Item:
        """The run's outcome, once it is recorded."""
        return wait_for(lambda: self.item(f"RUN#{run_id}", "OUTCOME"), f"the outcome of {run_id}", limit_s)

    # ---- the registry ----
    def approved(self, team: str) -> list[str]:
        """The ARNs of a team's packages that are Approved."""
        listed = self.client("sagemaker").list_model_packages(ModelPackageGroupName=f"{self.stack}-{team}")
        return [
            package["ModelPackageArn"]
            for package in listed["ModelPackageSummaryList"]
            if package["ModelApprovalStatus"] == "Approved"
        ]

    # ---- executions ----
    def execution_arn(self, machine_output: str, name: str) -> str:
        return f"{self.outputs[machine_output].replace(':stateMachine:', ':execution:')}:{name}"

    def start(self, machine_output: str, machine_input: dict[str, Any], name: str | None = None) -> str:
        answer = self.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs[machine_output],
            input=json.dumps(machine_input),
            name=name or uuid.uuid4().hex,
        )
        return str(answer["executionArn"])

    def ended(self, arn: str, limit_s: float = 120) -> dict[str, Any]:
        """The execution, once it is not running any more."""

        def is_over() -> dict[str, Any] | None:
            execution = dict(self.client("stepfunctions").describe_execution(executionArn=arn))
            return execution if execution["status"] != "RUNNING" else None

        return wait_for(is_over, f"the end of {arn}", limit_s)

    def states_entered(self, arn: str) -> list[str]:
        pages = self.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
        return [
            event["stateEnteredEventDetails"]["name"]
            for page in pages
            for event in page["events"]
            if "stateEnteredEventDetails" in event
        ]

    def started_by(self, machine_output: str, version_id: str) -> dict[str, Any]:
        """The execution that the event of an object's version started."""
        stepfunctions, machine = self.client("stepfunctions"), self.outputs[machine_output]

        def look() -> dict[str, Any] | None:
            for one in stepfunctions.list_executions(stateMachineArn=machine)["executions"]:
                execution = dict(stepfunctions.describe_execution(executionArn=one["executionArn"]))
                event = json.loads(execution["input"])
                if event.get("detail", {}).get("object", {}).get("version-id") == version_id:
                    return execution
            return None

        return wait_for(look, f"the execution for version {version_id}")

    # ---- functions ----
    def invoke(self, logical_id: str, payload: dict[str, Any]) -> tuple[Any, bool]:
        """A function's reply, and whether it is an error."""
        answer = self.client("lambda").invoke(
            FunctionName=self.resource(logical_id), Payload=json.dumps(payload).encode()
        )
        return json.loads(answer["Payload"].read()), "FunctionError" in answer

    def resource(self, logical_id: str, nested: str | None = None) -> str:
        """The physical id of a resource of the stack, or of a stack that is nested in it."""
        stack = self.stack if nested is None else self.resource(nested)
        detail = self.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        return str(detail["StackResourceDetail"]["PhysicalResourceId"])

    # ---- dead letters ----
    def dead_letter(self, queue_url: str, is_wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The message of a queue that is wanted, once it is there; it is taken out."""
        sqs = self.client("sqs")

        def look() -> dict[str, Any] | None:
            asked = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "VisibilityTimeout": 1}
            for message in sqs.receive_message(QueueUrl=queue_url, **asked).get("Messages", []):
                if is_wanted(message):
                    sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
                    return dict(message)
            return None

        return wait_for(look, f"a dead letter in {queue_url}")

    # ---- events ----
    @contextlib.contextmanager
    def listening(self, *detail_types: str) -> Iterator[Callable[[], list[dict[str, Any]]]]:
        """While open, what `turbine` puts on the bus; yields a function that returns all of it so far."""
        name = f"scenario-{uuid.uuid4().hex[:12]}"
        sqs, events = self.client("sqs"), self.client("events")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        pattern = {"source": ["turbine"], "detail-type": list(detail_types)}
        rule_arn = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
        lets_in = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [lets_in]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        heard: list[dict[str, Any]] = []

        def so_far() -> list[dict[str, Any]]:
            while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                for message in messages:
                    heard.append(json.loads(message["Body"]))
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return heard

        try:
            yield so_far
        finally:
            events.remove_targets(Rule=name, Ids=["queue"])
            events.delete_rule(Name=name)
            sqs.delete_queue(QueueUrl=url)


def _plain(item: dict[str, Any]) -> Item:
    deserializer = TypeDeserializer()
    return {name: deserializer.deserialize(value) for name, value in item.items()}
