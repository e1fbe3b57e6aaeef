"""The stack of the parity tests of machines and jobs: a repository for the probe image, a queue, a role's name."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

ROLE_ARN = "arn:aws:iam::123456789012:role/parity"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/parity-probe:latest"
LIMIT_S = 60.0

USER_DATA = """MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="==BOUNDARY=="

--==BOUNDARY==
Content-Type: text/x-shellscript; charset="us-ascii"

#!/bin/sh
echo ECS_ENABLE_SPOT_INSTANCE_DRAINING=true >> /etc/ecs/ecs.config
echo ECS_CONTAINER_STOP_TIMEOUT=1s >> /etc/ecs/ecs.config

--==BOUNDARY==--
"""


def _environment(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Batch::ComputeEnvironment",
        "Properties": {
            "Type": "MANAGED",
            "State": "ENABLED",
            "ReplaceComputeEnvironment": False,
            "ComputeResources": {
                "Type": kind,
                "AllocationStrategy": "BEST_FIT_PROGRESSIVE" if kind == "EC2" else "SPOT_PRICE_CAPACITY_OPTIMIZED",
                "MinvCpus": 0,
                "MaxvCpus": 16,
                "InstanceTypes": ["c7i.large"],
                "InstanceRole": {"Fn::GetAtt": "Profile.Arn"},
                "Subnets": [{"Ref": "Subnet"}],
                "SecurityGroupIds": [{"Ref": "Group"}],
                "Ec2Configuration": [{"ImageType": "ECS_AL2023"}],
                **more,
            },
        },
    }


def _queue(environment: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Batch::JobQueue",
        "Properties": {
            "State": "ENABLED",
            "Priority": 1,
            "ComputeEnvironmentOrder": [{"Order": 1, "ComputeEnvironment": {"Ref": environment}}],
        },
    }


TEMPLATE: dict[str, Any] = {
    "Resources": {
        "Network": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}},
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"VpcId": {"Ref": "Network"}, "CidrBlock": "10.9.0.0/24"},
        },
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"GroupDescription": "hosts", "VpcId": {"Ref": "Network"}},
        },
        "Profile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [{"Ref": "Role"}]}},
        "Hosts": {
            "Type": "AWS::EC2::LaunchTemplate",
            "Properties": {"LaunchTemplateData": {"UserData": {"Fn::Base64": USER_DATA}}},
        },
        "OnDemand": _environment(
            "EC2",
            LaunchTemplate={
                "LaunchTemplateId": {"Ref": "Hosts"},
                "Version": {"Fn::GetAtt": "Hosts.LatestVersionNumber"},
            },
        ),
        "Spot": _environment("SPOT"),
        "OnDemandQueue": _queue("OnDemand"),
        "SpotQueue": _queue("Spot"),
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


def resource(cloudformation: Any, logical_id: str) -> str:
    """The physical id of a resource of the stack."""
    found = cloudformation.describe_stack_resource(StackName="parity-probe", LogicalResourceId=logical_id)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


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

    def __init__(self, batch: Any, logs: Any, on_demand: str, spot: str) -> None:
        """`on_demand` and `spot` are queues of managed environments; the queue of most tests has an unmanaged one."""
        self.batch, self.logs, self.on_demand, self.spot = batch, logs, on_demand, spot
        known = batch.describe_job_queues(jobQueues=["parity"])["jobQueues"]
        self.queue = str(known[0]["jobQueueArn"]) if known else self._make_queue()

    def _make_queue(self) -> str:
        environment = self.batch.create_compute_environment(
            computeEnvironmentName="parity", type="UNMANAGED", state="ENABLED", serviceRole=ROLE_ARN
        )
        made = self.batch.create_job_queue(
            jobQueueName="parity",
            state="ENABLED",
            priority=1,
            computeEnvironmentOrder=[{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}],
        )
        return str(made["jobQueueArn"])

    @staticmethod
    def container(*command: str, vcpus: str = "1", memory: str = "128") -> dict[str, Any]:
        """Container properties that run the probe."""
        return {
            "image": IMAGE,
            "command": list(command),
            "resourceRequirements": [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}],
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
        given = {"jobQueue": self.queue, **more}
        return str(self.batch.submit_job(jobName=name, jobDefinition=definition, **given)["jobId"])

    def running(self, definition: str, **more: Any) -> str:
        """Submit a job and wait until it has written its first line."""
        job_id = self.submit(definition, **more)
        until(lambda: (stream := self.stream(job_id)) and self.log(stream))
        return job_id

    def stream(self, job_id: str) -> str:
        """The stream of the last attempt (of its main node); empty before the first."""
        attempts = self.job(job_id)["attempts"]
        return str(attempts[-1]["container"]["logStreamName"]) if attempts else ""

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
