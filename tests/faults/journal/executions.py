"""Executions: started by clients, or by an object that was put; they send a message, call a function, or run a job."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections import Counter
from typing import Any

from tests.faults.journal.promises import (
    ROLE,
    Client,
    Outage,
    Promise,
    Queue,
    awaited,
    machine_arn,
    make_machine,
    pages,
    require,
    require_all,
    require_once,
)

_NAME = "{% $states.context.Execution.Name %}"


class Executions(Promise):
    """Started by clients. Each ends as it should, has each event once, and sends its message once."""

    is_lasting = False
    machine = "journal"

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._queue = Queue("told", tag)
        self._started: dict[str, int] = {}
        self.in_flight = 0

    def prepare(self, client: Client) -> None:
        states = {
            "Double": {"Type": "Pass", "Assign": {"twice": "{% $states.input.n * 2 %}"}, "Next": "Rest"},
            "Rest": {"Type": "Wait", "Seconds": 1, "Next": "Tell"},
            "Tell": send(self._queue.make(client), _NAME) | {"Output": "{% $twice %}"},
        }
        make_machine(client, self.machine, states)

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        number = dice.randint(1, 1_000_000)
        started = client("stepfunctions").start_execution(
            stateMachineArn=machine_arn(self.machine), name=name, input=json.dumps({"n": number})
        )
        self._started[started["executionArn"]] = number

    def verify(self, client: Client, outage: Outage) -> None:
        listed = ended(client, self.machine, self.tag)
        require_all(self._started, [one["executionArn"] for one in listed], "executions")
        for arn, number in self._started.items():
            shown = client("stepfunctions").describe_execution(executionArn=arn)
            require((shown["status"], shown.get("output")) == ("SUCCEEDED", str(2 * number)), f"{arn}: {shown}")
            events = client("stepfunctions").get_execution_history(executionArn=arn)["events"]
            kinds = Counter(event["type"] for event in events)
            require(kinds == _HISTORY, f"history of {arn}: {kinds}")
        self._queue.expect(client, [one["name"] for one in listed], "messages of executions")
        self.in_flight = sum(
            one["startDate"].timestamp() < outage.killed_at < one["stopDate"].timestamp() for one in listed
        )


_HISTORY = Counter(
    [
        *("ExecutionStarted", "PassStateEntered", "PassStateExited", "WaitStateEntered", "WaitStateExited"),
        *("TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"),
    ]
)


class Drops(Promise):
    """An object that is put starts one execution by a rule, whose one message names the object's version.

    AWS promises at least one; this cloud, unless chaos is asked for, exactly one.
    """

    is_lasting = False
    _PLACE = "drops"

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self._queue = Queue("dropped", tag)
        self._versions: set[str] = set()

    def prepare(self, client: Client) -> None:
        s3, events = client("s3"), client("events")
        s3.create_bucket(Bucket=self._PLACE)
        s3.put_bucket_versioning(Bucket=self._PLACE, VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_notification_configuration(
            Bucket=self._PLACE, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        body = "{% $states.input.detail.object.key & ' ' & $states.input.detail.object.`version-id` %}"
        make_machine(client, self._PLACE, {"Tell": send(self._queue.make(client), body)})
        pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": ["drops"]}}}
        events.put_rule(Name=self._PLACE, EventPattern=json.dumps(pattern))
        target = {"Id": "machine", "Arn": machine_arn(self._PLACE), "RoleArn": ROLE}
        events.put_targets(Rule=self._PLACE, Targets=[target])

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        put = client("s3").put_object(Bucket=self._PLACE, Key=name, Body=b"{}")
        self._versions.add(f"{name} {put['VersionId']}")

    def verify(self, client: Client, outage: Outage) -> None:
        versions = pages(client("s3"), "list_object_versions", "Versions", Bucket=self._PLACE)
        everything = [f"{one['Key']} {one['VersionId']}" for one in versions]
        require_all(self._versions, everything, "dropped objects")
        mine = [text for text in everything if text.startswith(self.tag)]
        self._queue.expect(client, mine, "messages of dropped objects")
        listed = ended(client, self._PLACE, "")
        failed = [one for one in listed if one["status"] != "SUCCEEDED"]
        require(not failed, f"executions of dropped objects: {failed[:2]}")
        require(len(listed) == len(everything), f"{len(listed)} executions of {len(everything)} dropped objects")


class Calls(Promise):
    """A function that a Task calls. A call under way at the kill is made again, with the same request, and no other."""

    is_lasting = False
    machine = "calls"

    def prepare(self, client: Client) -> None:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as bundle:
            bundle.writestr("index.py", _FUNCTION)
        client("iam").create_role(RoleName="any", AssumeRolePolicyDocument="{}")
        client("lambda").create_function(
            FunctionName=self.machine,
            Runtime="python3.13",
            Role=ROLE,
            Handler="index.handler",
            Code={"ZipFile": archive.getvalue()},
            Timeout=60,
        )
        call = {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {
                "FunctionName": self.machine,
                "Payload": {"name": _NAME, "url": Queue("called", "").make(client)},
            },
            "Output": "{% $states.result.Payload %}",
            "End": True,
        }
        make_machine(client, self.machine, {"Call": call})

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        client("stepfunctions").start_execution(stateMachineArn=machine_arn(self.machine), name=name, input="{}")

    def verify(self, client: Client, outage: Outage) -> None:
        listed = ended(client, self.machine, self.tag)
        queue = Queue("called", self.tag)
        queue.drain(client)
        calls = Counter(queue.bodies)
        for one in listed:
            shown = client("stepfunctions").describe_execution(executionArn=one["executionArn"])
            answer = json.dumps({"called": one["name"]}, separators=(",", ":"))
            require((shown["status"], shown.get("output")) == ("SUCCEEDED", answer), f"call {one['name']}: {shown}")
            is_interrupted = one["startDate"].timestamp() < outage.back_at
            most = 1 + (outage.kills if is_interrupted else 0)
            require(1 <= calls[one["name"]] <= most, f"{one['name']} was called {calls[one['name']]} times")
        require_all(calls, [one["name"] for one in listed], "requests of functions")


_FUNCTION = """
import os
import urllib.parse
import urllib.request

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEYS = Credentials(*(os.environ[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")))


def handler(event, context):
    form = {"Action": "SendMessage", "Version": "2012-11-05", "QueueUrl": event["url"], "MessageBody": event["name"]}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", event["url"], headers, urllib.parse.urlencode(form))
    SigV4Auth(KEYS, "sqs", os.environ["AWS_REGION"]).add_auth(request)
    urllib.request.urlopen(urllib.request.Request(request.url, request.data.encode(), dict(request.headers)))
    return {"called": event["name"]}
"""
"""Tells a queue that it was called; without boto3, whose import takes longer than all the rest."""


class Jobs(Promise):
    """A Task's Batch job is one job, however often the cloud died; its attempts are within its retry rule."""

    is_lasting = False
    machine = "jobs"
    ATTEMPTS = 5
    _IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/journal:latest"

    def prepare(self, client: Client) -> None:
        repository = {
            "Type": "AWS::ECR::Repository",
            "Metadata": {"Dockerfile": "tests/faults/images/pause/Dockerfile", "DockerContext": "."},
            "Properties": {"RepositoryName": "journal"},
        }
        template = json.dumps({"Resources": {"Repository": repository}})
        client("cloudformation").create_stack(StackName="journal-image", TemplateBody=template)
        batch = client("batch")
        environment = batch.create_compute_environment(
            computeEnvironmentName="journal", type="UNMANAGED", state="ENABLED"
        )["computeEnvironmentArn"]
        order = [{"order": 1, "computeEnvironment": environment}]
        batch.create_job_queue(jobQueueName="journal", state="ENABLED", priority=1, computeEnvironmentOrder=order)
        needs = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "128"}]
        rules = [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
        batch.register_job_definition(
            jobDefinitionName="journal",
            type="container",
            containerProperties={"image": self._IMAGE, "command": [], "resourceRequirements": needs},
            retryStrategy={"attempts": self.ATTEMPTS, "evaluateOnExit": rules},
        )
        submit = {
            "Type": "Task",
            "Resource": "arn:aws:states:::batch:submitJob.sync",
            "Arguments": {"JobName": _NAME, "JobQueue": "journal", "JobDefinition": "journal"},
            "Output": "{% $states.result.Status %}",
            "End": True,
        }
        make_machine(client, self.machine, {"Submit": submit})

    def do(self, client: Client, name: str, dice: random.Random) -> None:
        client("stepfunctions").start_execution(stateMachineArn=machine_arn(self.machine), name=name, input="{}")

    def verify(self, client: Client, outage: Outage) -> None:
        batch = client("batch")
        for one in ended(client, self.machine, self.tag):
            named = [{"name": "JOB_NAME", "values": [one["name"]]}]
            found = batch.list_jobs(jobQueue="journal", filters=named)["jobSummaryList"]
            require(len(found) == 1, f"execution {one['name']} has {len(found)} jobs: {found}")
            job = batch.describe_jobs(jobs=[found[0]["jobId"]])["jobs"][0]
            outcome = (one["status"], job["status"], job.get("statusReason"))
            require(outcome[:2] == ("SUCCEEDED", "SUCCEEDED"), f"job {one['name']}: {outcome}")
            require(1 <= len(job["attempts"]) <= 1 + outage.kills, f"{one['name']}: {len(job['attempts'])} attempts")


def ended(client: Client, machine: str, tag: str) -> list[dict[str, Any]]:
    """The executions of a machine whose name begins so, once all have ended."""

    def look() -> list[dict[str, Any]] | None:
        arn = machine_arn(machine)
        if client("stepfunctions").list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]:
            return None
        everything = pages(client("stepfunctions"), "list_executions", "executions", stateMachineArn=arn)
        return [{}, *(one for one in everything if one["name"].startswith(tag))]

    found: list[dict[str, Any]] = awaited(look, f"the end of all executions of {machine}")[1:]
    require_once([one["name"] for one in found], f"executions of {machine}")
    return found


def send(url: str, body: str) -> dict[str, Any]:
    """A last state that sends a message."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sqs:sendMessage",
        "Arguments": {"QueueUrl": url, "MessageBody": body},
        "End": True,
    }
