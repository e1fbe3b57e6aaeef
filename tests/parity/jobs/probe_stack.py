"""The stack of the parity tests of machines and jobs: a repository for the probe image, a queue, a role's name."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

ROLE_ARN = "arn:aws:iam::123456789012:role/parity"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/parity-probe:latest"
LIMIT_S = 60.0

TEMPLATE = {
    "Resources": {
        "ProbeRepository": {
            "Type": "AWS::ECR::Repository",
            "Metadata": {"Dockerfile": "tests/parity/images/probe/Dockerfile", "DockerContext": "."},
            "Properties": {"RepositoryName": "parity-probe"},
        },
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"RoleName": "parity", "AssumeRolePolicyDocument": {"Statement": []}},
        },
    }
}


def deploy(cloudformation: Any) -> None:
    """Create the stack and wait for it."""
    cloudformation.create_stack(
        StackName="parity-probe", TemplateBody=json.dumps(TEMPLATE), Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="parity-probe", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )


def until(look: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """The first truthy answer of `look`.

    Raises: TimeoutError after `limit_s`.
    """
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise TimeoutError(f"nothing within {limit_s} s")


class Jobs:
    """Batch as the tests use it: definitions of the probe image, jobs followed to their end."""

    def __init__(self, batch: Any, logs: Any) -> None:
        self.batch, self.logs = batch, logs
        environment = batch.create_compute_environment(
            computeEnvironmentName="parity", type="UNMANAGED", state="ENABLED", serviceRole=ROLE_ARN
        )
        self.queue = batch.create_job_queue(
            jobQueueName="parity",
            state="ENABLED",
            priority=1,
            computeEnvironmentOrder=[{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}],
        )["jobQueueArn"]

    @staticmethod
    def container(*command: str, vcpus: str = "1") -> dict[str, Any]:
        """Container properties that run the probe."""
        return {
            "image": IMAGE,
            "command": list(command),
            "resourceRequirements": [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": "128"}],
            "environment": [{"name": "TEAM", "value": "of the definition"}],
        }

    def define(self, name: str, *command: str, vcpus: str = "1", **more: Any) -> str:
        """Register a container job definition."""
        properties = self.container(*command, vcpus=vcpus)
        made = self.batch.register_job_definition(
            jobDefinitionName=name, type="container", containerProperties=properties, **more
        )
        return str(made["jobDefinitionArn"])

    def define_nodes(self, name: str, nodes: int, *command: str) -> str:
        """Register a multi-node job definition with an open range."""
        node_range = {"targetNodes": "0:", "container": self.container(*command)}
        made = self.batch.register_job_definition(
            jobDefinitionName=name,
            type="multinode",
            nodeProperties={"numNodes": nodes, "mainNode": 0, "nodeRangeProperties": [node_range]},
        )
        return str(made["jobDefinitionArn"])

    def submit(self, definition: str, name: str = "parity", **more: Any) -> str:
        """Submit a job and return its id."""
        return str(self.batch.submit_job(jobName=name, jobQueue=self.queue, jobDefinition=definition, **more)["jobId"])

    def job(self, job_id: str) -> dict[str, Any]:
        """The job as DescribeJobs shows it."""
        found: dict[str, Any] = self.batch.describe_jobs(jobs=[job_id])["jobs"][0]
        return found

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job once it has ended."""
        until(lambda: self.job(job_id)["status"] in ("SUCCEEDED", "FAILED"))
        return self.job(job_id)

    def log(self, stream: str) -> list[str]:
        """The messages of a log stream."""
        events = self.logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=stream, startFromHead=True)[
            "events"
        ]
        return [event["message"] for event in events]


class Machines:
    """Step Functions as the tests use it."""

    def __init__(self, stepfunctions: Any) -> None:
        self.api = stepfunctions
        self._count = 0

    def create(self, states: dict[str, Any], **top: Any) -> str:
        """A machine of these states, the first one first."""
        self._count += 1
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **top}
        made = self.api.create_state_machine(
            name=f"parity-{self._count}", definition=json.dumps(definition), roleArn=ROLE_ARN
        )
        return str(made["stateMachineArn"])

    def start(self, machine: str, given: Any = None, **more: Any) -> str:
        """Start an execution and return its ARN."""
        started = self.api.start_execution(stateMachineArn=machine, input=json.dumps(given or {}), **more)
        return str(started["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        """The execution once it has ended."""
        until(lambda: self.api.describe_execution(executionArn=execution)["status"] != "RUNNING")
        found: dict[str, Any] = self.api.describe_execution(executionArn=execution)
        return found

    def run(self, states: dict[str, Any], given: Any = None, **top: Any) -> dict[str, Any]:
        """Create, start and follow."""
        return self.ended(self.start(self.create(states, **top), given))

    def events(self, execution: str) -> list[str]:
        """The types of the history's events."""
        return [event["type"] for event in self.api.get_execution_history(executionArn=execution)["events"]]
